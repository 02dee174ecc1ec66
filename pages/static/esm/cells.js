/* One service on the board, in each of the three views. A cell reads its own row, so a frame redraws only what changed.
   A cell is { id, row: shallowRef(row) }; see feed.js for the row. */
import { h, inject } from "vue";
import { sparkline, strip } from "./drawings.js";
import { duration, milliseconds, percent } from "./format.js";
import { lookOf } from "./looks.js";

const PROPS = { cell: Object };

export const Tile = {
  props: PROPS,
  setup(props) {
    const clock = inject("clock");
    return () => tile(props.cell.row.value, clock);
  },
};

function tile(row, clock) {
  const look = lookOf(row.status);
  return h("a", link(row, "tile"), [
    h("div", { class: "tile-top" }, [
      symbol(look),
      h("b", { class: "ellipsis", title: row.name }, row.name),
      h("span", { class: "num muted small push" }, row.uptime === null ? "" : percent(row.uptime)),
    ]),
    h("div", { class: "tile-mid" }, [figure(row, look, clock), answers(row) && sparkline(row.spark, look.token)]),
    strip(row.strip),
    h("div", { class: "tile-note ellipsis", title: row.note }, row.note),
  ]);
}

export const Line = {
  props: PROPS,
  setup: (props) => () => {
    const row = props.cell.row.value;
    const look = lookOf(row.status);
    return h("a", link(row, "row-line"), [
      symbol(look),
      h("span", { class: "name ellipsis" }, [h("b", { title: row.name }, row.name), tags(row)]),
      h("span", { class: ["word", look.token] }, look.word),
      h("span", { class: "num right" }, row.ms === null || !answers(row) ? "–" : `${milliseconds(row.ms)} ms`),
      answers(row) ? sparkline(row.spark, look.token) : h("span", { class: "spark" }),
      strip(row.strip),
      h("span", { class: "num right muted" }, percent(row.uptime)),
      h("span", { class: "note ellipsis faint", title: row.note }, row.note),
    ]);
  },
};

export const Square = {
  props: PROPS,
  setup: (props) => () => {
    const row = props.cell.row.value;
    const look = lookOf(row.status);
    const words = `${row.name}: ${look.word}${row.ms === null || !answers(row) ? "" : `, ${milliseconds(row.ms)} ms`}`;
    return h("a", { ...link(row, "square"), title: words, "aria-label": words }, look.symbol);
  },
};

function link(row, kind) {
  return {
    class: [kind, `is-${row.status}`],
    href: `/services/${encodeURIComponent(row.id)}`,
    "data-testid": "service",
    "data-status": row.status,
  };
}

function symbol(look) {
  return h("span", { class: ["symbol", look.token], role: "img", "aria-label": look.word }, look.symbol);
}

/* The large figure: latency while it answers, otherwise the status in words, with how long a failure lasts. */
function figure(row, look, clock) {
  if (answers(row) && row.ms !== null) {
    return h("div", { class: "figure num" }, [milliseconds(row.ms), h("small", "ms")]);
  }
  const lasting = row.status === "down" || row.status === "unknown";
  const since = lasting && row.since !== null ? ` ${duration(clock.value - row.since)}` : "";
  return h("div", { class: ["figure words num", look.token] }, look.word + since);
}

/* Old latencies of a service that doesn't answer now say nothing about it. */
function answers(row) {
  return row.status === "up" || row.status === "degraded";
}

function tags(row) {
  return row.tags.map((tag) => h("span", { class: "tag", key: tag }, tag));
}

