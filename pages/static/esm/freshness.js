/* How old the picture is. Frames arrive at least every two seconds; without one for five seconds, or without a
   connection, everything on the page is of the past and the page says so. */
import { reactive } from "vue";

const LIMIT_MS = 5000;
const GRACE_MS = 1000; // a connection that is back at once, or a page that is being left, is nobody's business

/** `age` is in seconds, `open` the number of open incidents, `connections` grows with each new connection. */
export const freshness = reactive({ stale: false, age: 0, open: 0, connections: 0 });

let lastFresh = performance.now();
let lostAt = null;
let leaving = false;

/** Say that what the page shows is of now. */
export function fresh() {
  lastFresh = performance.now();
  if (lostAt === null) show();
}

/** Run `hook(socket)` as soon as NiceGUI has made its socket. */
export function whenSocket(hook) {
  if (window.socket) hook(window.socket);
  else setTimeout(() => whenSocket(hook), 10);
}

function show() {
  const now = performance.now();
  const silent = now - lastFresh > LIMIT_MS;
  const cut = lostAt !== null && now - lostAt > GRACE_MS;
  const stale = (silent || cut) && !leaving;
  freshness.age = Math.round((now - lastFresh) / 1000);
  if (freshness.stale === stale) return;
  freshness.stale = stale;
  document.documentElement.classList.toggle("is-stale", stale);
}

function connected() {
  lostAt = null;
  freshness.connections += 1;
}

whenSocket((socket) => {
  socket.on("connect", connected);
  if (socket.connected) connected();
  socket.on("disconnect", () => (lostAt = performance.now()));
  socket.on("pulse", (pulse) => {
    if (pulse.open !== undefined) freshness.open = pulse.open;
    fresh();
  });
});
setInterval(show, 500);
document.addEventListener("visibilitychange", show);
window.addEventListener("pagehide", () => (leaving = true));
window.addEventListener("pageshow", () => (leaving = false));
