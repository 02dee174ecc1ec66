/* Which services the board shows, and in which order: groups by name, in each the worst first. */
import { lookOf } from "./looks.js";

const BY_NAME = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const TROUBLE = new Set(["down", "degraded", "unknown"]);

/** [{ name, cells }] of the cells that match `query` (every word in name, tag, group or status) and `status`. */
export function groupCells(cells, query, status) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map();
  for (const cell of cells) {
    const row = cell.row.value;
    if (status && row.status !== status) continue;
    if (!words.every((word) => row.needle.includes(word))) continue;
    if (!groups.has(row.group)) groups.set(row.group, []);
    groups.get(row.group).push(cell);
  }
  const sorted = [...groups].sort(([one], [other]) => (one === "") - (other === "") || BY_NAME.compare(one, other));
  return sorted.map(([name, members]) => ({ name: name || (sorted.length > 1 ? "Other services" : "Services"), cells: members.sort(compare) }));
}

function compare(one, other) {
  const a = one.row.value;
  const b = other.row.value;
  return rank(a) - rank(b) || BY_NAME.compare(a.name, b.name);
}

function rank(row) {
  if (TROUBLE.has(row.status)) return lookOf(row.status).rank;
  if (row.status === "paused") return 101;
  return row.status === "maintenance" ? 100 : 99;
}
