import { duration } from "pulse/format.js";

const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/* A moment in the browser's time zone, or how long it lasted from then until `until` (now while that is null).
   Both are seconds since the epoch. */
export default {
  props: { at: Number, until: Number, kind: String },
  data: () => ({ now: Date.now() / 1000 }),
  computed: {
    words() {
      if (this.kind === "lasting") return duration((this.until ?? this.now) - this.at);
      return SHORT.format(new Date(this.at * 1000));
    },
    title() {
      return FULL.format(new Date(this.at * 1000));
    },
    iso() {
      return new Date(this.at * 1000).toISOString();
    },
  },
  mounted() {
    if (this.kind === "lasting") this.timer = setInterval(() => (this.now = Date.now() / 1000), 1000);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  template: `<time class="num" :datetime="iso" :title="title">{{ words }}</time>`,
};
