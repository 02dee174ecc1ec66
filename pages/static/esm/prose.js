/* Plain words of people, shown literally but for two things: web addresses are links, and `code` is set in mono. */
import { h } from "vue";

const PIECE = /`([^`\n]+)`|https?:\/\/[^\s<>"'`]+/gi;
const SCHEMES = ["http:", "https:"];
const CLOSING = { ")": "(", "]": "[", "}": "{" };

/** The text taken apart: rows of { text, code } or { text, href }, or only { text }. */
export function pieces(text) {
  const found = [];
  let end = 0;
  const plain = (until) => until > end && found.push({ text: text.slice(end, until) });
  for (const match of text.matchAll(PIECE)) {
    const piece = match[1] === undefined ? link(match[0]) : { text: match[1], code: true };
    if (!piece) continue;
    plain(match.index);
    found.push(piece);
    end = match.index + (piece.code ? match[0].length : piece.text.length);
  }
  plain(text.length);
  return found;
}

export const Prose = {
  props: { text: String },
  setup: (props) => () =>
    pieces(props.text).map(({ text, code, href }) => {
      if (href) return h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
      return code ? h("code", text) : text;
    }),
};

/* What ends a sentence does not belong to the address in it. */
function link(words) {
  const text = trimmed(words);
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && SCHEMES.includes(url.protocol) ? { text, href: url.href } : null;
}

function trimmed(words) {
  let text = words;
  for (;;) {
    const last = text.at(-1);
    const opening = CLOSING[last];
    const unopened = opening && !text.includes(opening);
    if (!unopened && !".,;:!?".includes(last)) return text;
    text = text.slice(0, -1);
  }
}
