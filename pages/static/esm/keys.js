/* Keys of every page, filtered in the browser: what is typed into a field never reaches us. */

const SEQUENCE_MS = 1200;

/** Listen for / ? and g + letter; returns the function that ends it. */
export function listenForKeys(entries, showKeys) {
  const places = Object.fromEntries(entries.map(([, , href, key]) => [key, href]));
  let startedAt = -Infinity;

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const inSequence = performance.now() - startedAt < SEQUENCE_MS;
    startedAt = -Infinity;
    if (inSequence && places[event.key]) return window.location.assign(places[event.key]);
    if (event.key === "g") startedAt = performance.now();
    else if (event.key === "?") showKeys();
    else if (event.key === "/") focusSearch(event);
  }

  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

function isTyping(target) {
  return target.closest?.("input, textarea, select, [contenteditable=true], dialog[open], .q-dialog") != null;
}

function focusSearch(event) {
  const field = document.querySelector("[data-search]");
  if (!field) return;
  event.preventDefault();
  (field.matches("input") ? field : field.querySelector("input"))?.focus();
}
