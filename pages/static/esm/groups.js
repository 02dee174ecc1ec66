/* Which services the board shows, and in which order: groups by name, in each the worst first. */
import { lookOf } from "./looks.js";

const BY_NAME = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const TROUBLE = new Set(["down", "degraded", "unknown"]);

/** [{ name, count, cells }] of the cells that match `query` (every word in name, tag, group or status) and `status`. */
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
  const nameless = sorted.length > 1 ? "Other services" : "Services";
  return sorted.map(([name, members]) => ({ name: name || nameless, count: members.length, cells: members.sort(compare) }));
}

/** The same groups with their first `limit` cells in all. */
export function firstCells(groups, limit) {
  const kept = [];
  for (const group of groups) {
    if (limit <= 0) break;
    kept.push(group.cells.length <= limit ? group : { ...group, cells: group.cells.slice(0, limit) });
    limit -= group.cells.length;
  }
  return kept;
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
