import { freshness } from "pulse/freshness.js";
import { duration } from "pulse/format.js";

/* When the next check comes, counted down here: `due` is in seconds from when the server said so. */
export default {
  props: { due: Number, phase: String, told: Number },
  data: () => ({ left: 0 }),
  computed: {
    words() {
      if (this.phase === "paused") return "checks are paused";
      if (this.phase === "none") return "no checks yet";
      if (this.phase === "running" || this.left <= 0) return "checking now";
      return `next check in ${duration(this.left)}`;
    },
  },
  watch: {
    told() {
      this.start();
    },
  },
  mounted() {
    this.start();
    this.timer = setInterval(() => freshness.stale || this.tick(), 250);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  methods: {
    start() {
      this.end = performance.now() + (this.due ?? 0) * 1000;
      this.tick();
    },
    tick() {
      this.left = Math.ceil((this.end - performance.now()) / 1000);
    },
  },
  template: `
    <span class="next-check num" :class="{ live: phase === 'waits' || phase === 'running' }" data-testid="next-check">{{ words }}</span>`,
};
