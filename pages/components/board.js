import { computed, onMounted, onUnmounted, provide, ref, shallowRef, watch } from "vue";
import { Line, Square, Tile } from "pulse/cells.js";
import { Feed } from "pulse/feed.js";
import { ago, percent, plural } from "pulse/format.js";
import { freshness, whenSocket } from "pulse/freshness.js";
import { firstCells, groupCells } from "pulse/groups.js";
import { lookOf, looks, useLooks } from "pulse/looks.js";
import { Activity, Incidents } from "pulse/sides.js";

const VIEWS = { tiles: ["Tiles", Tile], list: ["List", Line], heatmap: ["Heatmap", Square] };
const ALWAYS_COUNTED = ["up", "degraded", "down", "maintenance"];
const FIRST_DRAWN = 48;
const DRAWN_MORE = 100;
const MOST_DRAWN = 3000;
const SOMETIMES_COUNTED = ["unknown", "pending", "paused"];

/* What the address says is what the board shows: a link to it shows the same to others. */
function useFilters() {
  const given = new URLSearchParams(window.location.search);
  const query = ref(given.get("q") || "");
  const status = ref(given.get("status") in looks ? given.get("status") : "");
  const view = ref(given.get("view") in VIEWS ? given.get("view") : "tiles");
  watch([query, status, view], () => {
    const address = new URL(window.location.href);
    const wanted = { q: query.value.trim(), status: status.value, view: view.value === "tiles" ? "" : view.value };
    for (const [name, value] of Object.entries(wanted)) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    window.history.replaceState(window.history.state, "", address);
  });
  return { query, status, view };
}

/* How many services are drawn: at first as many as a screen shows, then more in each picture until all are there. */
function useGradualDrawing(summary) {
  const drawn = ref(FIRST_DRAWN);
  const more = () => {
    drawn.value = drawn.value < MOST_DRAWN ? drawn.value + DRAWN_MORE : Infinity;
    if (drawn.value !== Infinity) requestAnimationFrame(() => setTimeout(more));
  };
  watch(summary, () => requestAnimationFrame(() => setTimeout(more)), { once: true, flush: "post" });
  return drawn;
}

export default {
  props: { palette: Array, severities: Object, canAdd: Boolean },
  setup(props) {
    useLooks(props.palette);
    const feed = new Feed();
    const clock = shallowRef(feed.now());
    provide("clock", clock);
    const filters = useFilters();
    const onFrame = (frame) => feed.receive(frame);
    // Durations stand still while the picture is old: they would go on for what may be over.
    const tick = () => freshness.stale || (clock.value = feed.now());
    let timer = null;

    onMounted(() => {
      feed.load(window.pulseSnapshot);
      delete window.pulseSnapshot;
      whenSocket((socket) => socket.on("board", onFrame));
      timer = setInterval(tick, 1000);
    });
    onUnmounted(() => {
      feed.end();
      window.socket?.off("board", onFrame);
      clearInterval(timer);
    });
    watch(() => freshness.connections, (count) => count > 1 && feed.reload());
    watch(feed.summary, (summary) => (freshness.open = summary.incidents.length));

    const groups = computed(() => {
      feed.order.value;
      return groupCells(feed.cells.values(), filters.query.value, filters.status.value);
    });
    const drawn = useGradualDrawing(feed.summary);
    const counters = computed(() => {
      const { counts } = feed.summary.value;
      const shown = [...ALWAYS_COUNTED, ...SOMETIMES_COUNTED.filter((status) => counts[status])];
      return shown.map((status) => ({ ...lookOf(status), count: counts[status] || 0 }));
    });
    return {
      ...filters, groups: computed(() => firstCells(groups.value, drawn.value)), counters, freshness, summary: feed.summary,
      shown: computed(() => groups.value.reduce((sum, group) => sum + group.count, 0)),
      total: computed(() => (feed.order.value, feed.cells.size)),
      cellKind: computed(() => VIEWS[filters.view.value][1]),
      views: Object.entries(VIEWS).map(([name, [title]]) => ({ name, title })),
      ago, percent, plural,
    };
  },
  computed: {
    filtered() {
      return this.query.trim() !== "" || this.status !== "";
    },
    stamp() {
      if (this.freshness.stale) return `Connection lost · data from ${ago(this.freshness.age)} ago`;
      const shown = this.filtered ? ` · ${this.shown} shown` : "";
      return `Live · ${plural(this.total, "service")}${shown}`;
    },
  },
  methods: {
    toggleStatus(status) {
      this.status = this.status === status ? "" : status;
    },
    clear() {
      this.query = "";
      this.status = "";
    },
  },
  components: { Activity, Incidents },
  template: `
    <div class="board" :data-loaded="summary.loaded">
      <header class="page-head">
        <h1>Overview</h1>
        <span v-if="summary.loaded" class="live" :class="{ off: freshness.stale }" data-testid="stamp">{{ stamp }}</span>
        <span class="spacer"></span>
        <template v-if="total">
          <label class="search">
            <span class="visually-hidden">Filter services</span>
            <input v-model="query" class="input" data-search type="search" maxlength="200" autocomplete="off" spellcheck="false"
              placeholder="Filter by name, tag or status" data-testid="filter" @keydown.esc="query = ''; $event.target.blur()">
            <kbd aria-hidden="true">/</kbd>
          </label>
          <div class="seg" role="group" aria-label="View">
            <button v-for="kind in views" :key="kind.name" :aria-pressed="view === kind.name" @click="view = kind.name">{{ kind.title }}</button>
          </div>
        </template>
        <a v-if="canAdd" class="btn primary" href="/services/new">Add service</a>
      </header>

      <div v-if="!summary.loaded" class="counters" aria-hidden="true"><div v-for="n in 5" :key="n" class="skeleton counter"></div></div>

      <div v-else-if="!total" class="empty" data-testid="empty">
        <h2>Nothing is watched yet</h2>
        <p>Add a website or an API. Pulseboard checks it every few seconds, shows it here, and opens an incident when it fails.</p>
        <a v-if="canAdd" class="btn primary" href="/services/new">Add the first service</a>
        <p v-else>Your role can't add services. Ask an admin of your team.</p>
      </div>

      <template v-else>
        <div class="counters">
          <button v-for="look in counters" :key="look.status" class="card counter" :aria-pressed="status === look.status"
            :data-testid="'count-' + look.status" :title="'Show only services that are ' + look.word.toLowerCase()" @click="toggleStatus(look.status)">
            <span class="muted small"><span :class="look.token" aria-hidden="true">{{ look.symbol }}</span> {{ look.word }}</span>
            <span class="num large">{{ look.count }}</span>
          </button>
          <div class="card counter">
            <span class="muted small">Uptime, 24 h</span>
            <span class="num large" data-testid="uptime">{{ percent(summary.uptime) }}</span>
          </div>
        </div>

        <Incidents :incidents="summary.incidents" :severities="severities" />

        <div class="split">
          <div class="stack groups">
            <section v-for="group in groups" :key="group.name" class="group">
              <div class="group-title"><h2>{{ group.name }}</h2><span class="muted">{{ plural(group.count, "service") }}</span></div>
              <div :class="view">
                <div v-if="view === 'list'" class="row-line heading" aria-hidden="true">
                  <span></span><span>Service</span><span class="word">Status</span><span class="right">Latency</span><span class="spark"></span>
                  <span class="strip-title">Last 30 results</span><span class="right">24 h</span><span class="note">Note</span>
                </div>
                <component :is="cellKind" v-for="cell in group.cells" :key="cell.id" :cell="cell" />
              </div>
            </section>
            <div v-if="!shown" class="empty" data-testid="no-match">
              <h2>No service matches</h2>
              <button class="btn" @click="clear">Clear the filter</button>
            </div>
          </div>
          <Activity :lines="summary.activity" />
        </div>
      </template>
    </div>`,
};
