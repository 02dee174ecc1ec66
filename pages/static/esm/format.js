/* Words for numbers and times; the same on every page. */

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A duration in seconds as its two largest units: "12 s", "6 m 12 s", "3 h 20 m", "2 d 4 h". */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)} m ${s % 60} s` : `${s / 60} m`;
  if (s < 86400) return joined(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "m");
  return joined(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

/** The same with one unit only, for lists: "12 s", "6 m", "3 h", "2 d". */
export function ago(seconds) {
  return duration(seconds).split(" ").slice(0, 2).join(" ");
}

/** Milliseconds without a unit: "38", "1,240". */
export function milliseconds(value) {
  return value < 10 && value > 0 && !Number.isInteger(value) ? value.toFixed(1) : WHOLE.format(value);
}

/** "100%", "99.94%", "99.9%", "0%": never rounded up to 100. */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 100) return "100%";
  return `${(Math.floor(value * 100) / 100).toFixed(2).replace(/\.?0+$/, "")}%`;
}

export function plural(count, one, many) {
  return `${WHOLE.format(count)} ${count === 1 ? one : many || `${one}s`}`;
}

function joined(big, bigUnit, small, smallUnit) {
  return small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`;
}
