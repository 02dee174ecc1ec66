import { milliseconds } from "pulse/format.js";

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/* The last results. A row is [seconds since the epoch, token, symbol, word, ms, [ms of each phase], code, message]. */
export default {
  props: { rows: Array, phases: Array },
  methods: {
    time(at) {
      const date = new Date(at * 1000);
      const today = DAY.format(date) === DAY.format(new Date());
      return today ? TIME.format(date) : `${DAY.format(date)} ${TIME.format(date)}`;
    },
    /* Most messages begin with the code. */
    answer: (code, message) => (code === null || message.startsWith(code) ? message : `${code} ${message}`),
    ms: (value) => (value === null ? "–" : `${milliseconds(value)} ms`),
    words(phases) {
      return this.phases
        .map(([, word], index) => (phases[index] === null ? "" : `${word} ${milliseconds(phases[index])} ms`))
        .filter(Boolean)
        .join(" · ");
    },
  },
  template: `
    <div class="table-box" data-testid="results">
      <table class="table results">
        <thead><tr><th>Time</th><th>Result</th><th class="right">Response time</th><th class="wide">Phases</th><th>Answer</th></tr></thead>
        <tbody>
          <tr v-for="[at, token, symbol, word, ms_, phases_, code, message] in rows" :key="at">
            <td class="num muted nowrap">{{ time(at) }}</td>
            <td class="nowrap" :class="token"><span class="symbol" aria-hidden="true">{{ symbol }}</span> {{ word }}</td>
            <td class="num right nowrap">{{ ms(ms_) }}</td>
            <td class="wide"><div class="phase-bar" role="img" :title="words(phases_)" :aria-label="words(phases_)">
              <i v-for="([name], index) in phases" :key="name" :class="'phase-' + name" :style="{ flexGrow: phases_[index] || 0 }"></i>
            </div></td>
            <td class="answer">{{ answer(code, message) }}</td>
          </tr>
        </tbody>
      </table>
    </div>`,
};
