/* The board's state in the browser: a snapshot, then numbered frames. A gap, a frame that can't be placed, or a new
   connection means that something was missed, and the snapshot is fetched again. */
import { shallowRef } from "vue";
import { fresh } from "./freshness.js";
import { MARKS } from "./drawings.js";
import { lookOf } from "./looks.js";

const JITTER_MS = 800; // after a restart all browsers come at once
const RETRY_MS = 2000;
const ACTIVITY = 20;
const DATA_KEYS = ["p", "s", "x", "c", "u", "i", "a"];

export class Feed {
  /** `order` grows when services come, go, or change what they are sorted or filtered by. */
  order = shallowRef(0);
  summary = shallowRef({ loaded: false, counts: {}, uptime: null, incidents: [], activity: [] });
  cells = new Map();
  offset = 0; // the server's clock less ours, in seconds
  #revision = -1;
  #fetching = false;
  #waiting = [];
  #timer = null;
  #ended = false;

  now() {
    return Date.now() / 1000 + this.offset;
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  /** Fetch the snapshot; `early` is the answer that the page asked for before this module was loaded. */
  async load(early) {
    if (this.#fetching || this.#ended) return;
    this.#fetching = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    try {
      const response = await (early || fetch("/board/snapshot", { headers: { Accept: "application/json" } }));
      if (response.status === 401 || response.redirected) return window.location.reload();
      if (!response.ok) throw new Error(`The snapshot answered ${response.status}`);
      this.#take(await response.json());
      fresh();
    } catch {
      this.#later(RETRY_MS);
    } finally {
      this.#fetching = false;
      this.#waiting.splice(0).forEach((frame) => this.receive(frame));
    }
  }

  reload() {
    this.#later(0);
  }

  receive(frame) {
    if (this.#fetching) return void this.#waiting.push(frame);
    const empty = DATA_KEYS.every((key) => frame[key] === undefined);
    if (empty ? frame.r === this.#revision : frame.r <= this.#revision) return fresh();
    if (empty || frame.r !== this.#revision + 1) return this.#later(0);
    this.#revision = frame.r;
    this.#apply(frame);
    fresh();
  }

  #later(delay) {
    if (this.#ended) return;
    this.#timer ??= setTimeout(() => this.load(), delay + Math.random() * JITTER_MS);
  }

  #take(snapshot) {
    this.#revision = snapshot.r;
    this.offset = snapshot.now - Date.now() / 1000;
    const present = new Set(snapshot.rows.map((row) => row[0]));
    for (const id of this.cells.keys()) if (!present.has(id)) this.cells.delete(id);
    snapshot.rows.forEach((row) => this.#put(rowFrom(row)));
    const { counts, uptime, incidents, activity } = snapshot;
    this.summary.value = { loaded: true, counts, uptime, incidents, activity: activity.slice(0, ACTIVITY) };
    this.order.value += 1;
  }

  #apply(frame) {
    let reorder = false;
    for (const id of frame.x || []) reorder = this.cells.delete(id) || reorder;
    for (const row of frame.s || []) reorder = this.#put(rowFrom(row)) || reorder;
    for (const point of frame.p || []) this.#append(point);
    if (reorder) this.order.value += 1;
    if (!["c", "u", "i", "a"].some((key) => frame[key] !== undefined)) return;
    const before = this.summary.value;
    this.summary.value = {
      loaded: true,
      counts: frame.c || before.counts,
      uptime: frame.u === undefined ? before.uptime : frame.u,
      incidents: frame.i || before.incidents,
      activity: mergeActivity(before.activity, frame.a || []),
    };
  }

  /* Returns whether the order or a filter may see the difference. */
  #put(row) {
    const cell = this.cells.get(row.id);
    if (!cell) {
      this.cells.set(row.id, { id: row.id, row: shallowRef(row) });
      return true;
    }
    const before = cell.row.value;
    cell.row.value = row;
    return before.needle !== row.needle || before.group !== row.group;
  }

  #append([id, ms, letter, at]) {
    const cell = this.cells.get(id);
    const row = cell?.row.value;
    if (!row || (row.at !== null && at <= row.at)) return; // the snapshot had it already
    const spark = [...row.spark.slice(1 - MARKS), ms];
    cell.row.value = { ...row, ms, at, spark, strip: (row.strip + letter).slice(-MARKS) };
  }
}

function rowFrom([id, name, group, tags, status, since, ms, at, interval, spark, strip, uptime, note]) {
  const needle = [name, ...tags, group, lookOf(status).word].join("\n").toLowerCase();
  return { id, name, group, tags, status, since, ms, at, interval, spark, strip, uptime, note, needle };
}

function mergeActivity(held, news) {
  const known = new Set(held.map((line) => line.id));
  const added = news.filter((line) => !known.has(line.id)).sort((one, other) => other.at - one.at);
  return added.length ? [...added, ...held].slice(0, ACTIVITY) : held;
}
