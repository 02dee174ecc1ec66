/* A sparkline as two SVG paths and a strip of results as one gradient: few nodes, so that a thousand fit on a page. */
import { h } from "vue";
import { plural } from "./format.js";
import { lookOfLetter } from "./looks.js";

export const MARKS = 30;
const WIDTH = 120;
const HEIGHT = 30;

/** The last latencies, oldest first; null leaves a gap. */
export function sparkline(values, token) {
  const paths = sparkPaths(values);
  return h(
    "svg",
    { class: ["spark", token], viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    [h("path", { class: "area", d: paths.area }), h("path", { class: "stroke", d: paths.line })],
  );
}

function sparkPaths(values) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return { line: "", area: "" };
  const low = Math.min(...known);
  const high = Math.max(...known);
  // A steady service shows a calm line: noise of a few percent is not blown up to the full height.
  const span = Math.max(high - low, high * 0.3, 1);
  const step = WIDTH / (MARKS - 1);
  const first = MARKS - values.length;
  let line = "";
  let area = "";
  let run = [];
  const close = () => {
    if (run.length > 1) {
      const points = run.map(([x, y]) => `${x} ${y}`).join("L");
      line += `M${points}`;
      area += `M${run[0][0]} ${HEIGHT}L${points}L${run[run.length - 1][0]} ${HEIGHT}Z`;
    }
    run = [];
  };
  values.forEach((value, index) => {
    if (value === null) return close();
    const x = ((first + index) * step).toFixed(1);
    run.push([x, (HEIGHT - 4 - ((value - low) / span) * (HEIGHT - 8)).toFixed(1)]);
  });
  close();
  return { line, area };
}

/** The last results, oldest first, one letter each; at the right end is the newest. */
export function strip(letters) {
  return h("div", { class: "strip", role: "img", "aria-label": stripWords(letters), style: { background: stripFill(letters) } });
}

function stripFill(letters) {
  const padded = letters.slice(-MARKS).padStart(MARKS, " ");
  const stops = [];
  for (let start = 0; start < MARKS; ) {
    let end = start + 1;
    while (end < MARKS && padded[end] === padded[start]) end += 1;
    const colour = padded[start] === " " ? "var(--line)" : `var(--strip-${lookOfLetter(padded[start]).token})`;
    stops.push(`${colour} ${percentOf(start)} ${percentOf(end)}`);
    start = end;
  }
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

function percentOf(mark) {
  return `${((mark * 100) / MARKS).toFixed(2)}%`;
}

function stripWords(letters) {
  if (!letters) return "No results yet";
  const counts = new Map();
  for (const letter of letters) {
    const word = lookOfLetter(letter).word.toLowerCase();
    counts.set(word, (counts.get(word) || 0) + 1);
  }
  const parts = [...counts].map(([word, count]) => `${count} ${word}`);
  return `Last ${plural(letters.length, "result")}: ${parts.join(", ")}`;
}
