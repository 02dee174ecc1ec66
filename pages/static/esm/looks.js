/* Word, symbol and colour of each status, as the server's palette names them. */

export const looks = {};
const byLetter = {};

/** `palette`: rows of [status, word, symbol, letter, token], worst first. */
export function useLooks(palette) {
  palette.forEach(([status, word, symbol, letter, token], rank) => {
    looks[status] = { status, word, symbol, letter, token, rank };
    if (letter) byLetter[letter] = looks[status];
  });
}

export function lookOf(status) {
  return looks[status] || looks.unknown;
}

export function lookOfLetter(letter) {
  return byLetter[letter] || looks.unknown;
}

const OTHERS = { comment: "✎", ack: "⚑", delivery: "✉", settings: "⚙", user: "☺" };

/** Symbol and class of a line of activity. */
export function activityLook(icon) {
  if (looks[icon]) return { symbol: looks[icon].symbol, token: looks[icon].token };
  return { symbol: `${OTHERS[icon] || "•"}\uFE0E`, token: icon === "delivery" ? "accent" : "muted" };
}
