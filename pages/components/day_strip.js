import { percent } from "pulse/format.js";

/* One bar per day. `days` are rows of [words, token], oldest first; `figures` rows of [range, percent or null]. */
export default {
  props: { days: Array, figures: Array },
  setup: () => ({ percent }),
  computed: {
    words() {
      const counts = new Map();
      for (const [, token] of this.days) counts.set(token, (counts.get(token) || 0) + 1);
      return `Last ${this.days.length} days: ${[...counts].map(([token, count]) => `${count} ${token}`).join(", ")}`;
    },
  },
  template: `
    <section class="card day-strip" data-testid="day-strip">
      <div class="card-title wrap">
        <h2>Last {{ days.length }} days</h2>
        <span class="spacer"></span>
        <span v-for="[range, value] in figures" :key="range" class="muted uptime num" :data-testid="'uptime-' + range">
          {{ range }} <b>{{ percent(value) }}</b>
        </span>
      </div>
      <div class="days" role="img" :aria-label="words">
        <i v-for="([words, token], index) in days" :key="index" :class="['day', 'is-' + token]" :data-words="words"
          :style="{ '--at': (index * 100) / days.length + '%' }"></i>
      </div>
    </section>`,
};
