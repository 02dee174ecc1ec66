import { duration } from "pulse/format.js";
import { Avatar } from "pulse/people.js";

const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/* Incidents, newest first; times in seconds since the epoch. */
export default {
  props: { rows: Array },
  components: { Avatar },
  setup: () => ({
    duration,
    time: (at) => SHORT.format(new Date(at * 1000)),
    full: (at) => `Opened on ${FULL.format(new Date(at * 1000))}`,
  }),
  data: () => ({ now: Date.now() / 1000 }),
  mounted() {
    this.timer = setInterval(() => (this.now = Date.now() / 1000), 1000);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  template: `
    <ol class="incident-list" data-testid="incidents">
      <li v-for="row in rows" :key="row.number">
        <a class="incident-row" :class="{ 'is-done': row.resolved_at !== null }" :href="'/incidents/' + row.number" data-testid="incident" :data-status="row.status">
          <span class="pill" :class="row.token"><span aria-hidden="true">{{ row.symbol }}</span>{{ row.severity }}</span>
          <span class="num muted">#{{ row.number }}</span>
          <b class="title ellipsis" :title="row.title">{{ row.title }}</b>
          <span class="status" :class="'is-' + row.status">{{ row.status_word }}</span>
          <span class="owner line"><template v-if="row.owner"><Avatar :person="row.owner" /><span class="ellipsis">{{ row.owner[1] }}</span></template><span v-else class="faint">nobody</span></span>
          <span class="num lasted">{{ row.resolved_at === null ? "for" : "lasted" }} {{ duration((row.resolved_at ?? now) - row.opened_at) }}</span>
          <time class="num faint opened" :title="full(row.opened_at)">{{ time(row.opened_at) }}</time>
        </a>
      </li>
    </ol>`,
};
