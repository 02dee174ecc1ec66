import { computed, onMounted, onUnmounted, ref, shallowRef, watch } from "vue";
import { sparkline } from "pulse/drawings.js";
import { Feed } from "pulse/feed.js";
import { duration, milliseconds, percent, plural } from "pulse/format.js";
import { freshness, whenSocket } from "pulse/freshness.js";
import { lookOf, useLooks } from "pulse/looks.js";

const BY_NAME = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const FIRST_DRAWN = 200;

/* All services in one list by name. It is fed like the overview: by the board's snapshot and its frames. */
export default {
  props: { palette: Array, canAdd: Boolean },
  components: { Spark: (props) => sparkline(props.values, props.token) },
  setup(props) {
    useLooks(props.palette);
    const feed = new Feed();
    const query = ref(new URLSearchParams(window.location.search).get("q") || "");
    const drawn = ref(FIRST_DRAWN);
    const onFrame = (frame) => feed.receive(frame);

    onMounted(() => {
      feed.load();
      whenSocket((socket) => socket.on("board", onFrame));
    });
    onUnmounted(() => {
      feed.end();
      window.socket?.off("board", onFrame);
    });
    watch(() => freshness.connections, (count) => count > 1 && feed.reload());
    watch(feed.summary, (summary) => (freshness.open = summary.incidents.length));
    watch(query, () => {
      const address = new URL(window.location.href);
      if (query.value.trim()) address.searchParams.set("q", query.value.trim());
      else address.searchParams.delete("q");
      window.history.replaceState(window.history.state, "", address);
    });

    const found = computed(() => {
      feed.order.value;
      const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
      const cells = [...feed.cells.values()].filter((cell) => words.every((word) => cell.row.value.needle.includes(word)));
      return cells.sort((one, other) => BY_NAME.compare(one.row.value.name, other.row.value.name));
    });
    return {
      query, drawn, found, summary: feed.summary, duration, lookOf, milliseconds, percent, plural,
      shown: computed(() => found.value.slice(0, drawn.value)),
      total: computed(() => (feed.order.value, feed.cells.size)),
    };
  },
  template: `
    <div class="services-page">
      <header class="page-head">
        <h1>Services</h1>
        <span v-if="summary.loaded && total" class="muted">{{ plural(total, "service") }}{{ query.trim() ? " · " + found.length + " shown" : "" }}</span>
        <span class="spacer"></span>
        <label v-if="total" class="search">
          <span class="visually-hidden">Filter services</span>
          <input v-model="query" class="input" data-search type="search" maxlength="200" autocomplete="off" spellcheck="false"
            placeholder="Filter by name, tag or status" data-testid="filter" @keydown.esc="query = ''; $event.target.blur()">
          <kbd aria-hidden="true">/</kbd>
        </label>
        <a v-if="canAdd" class="btn primary" href="/services/new">Add service</a>
      </header>
      <div v-if="!summary.loaded" class="skeleton services-skeleton" aria-hidden="true"></div>
      <div v-else-if="!total" class="empty" data-testid="empty">
        <h2>No services yet</h2>
        <p>Add a website or an API. Pulseboard checks it every few seconds and opens an incident when it fails.</p>
        <a v-if="canAdd" class="btn primary" href="/services/new">Add the first service</a>
        <p v-else>Your role can't add services. Ask an admin of your team.</p>
      </div>
      <div v-else-if="!found.length" class="empty" data-testid="no-match">
        <h2>No service matches</h2>
        <button class="btn" @click="query = ''">Clear the filter</button>
      </div>
      <div v-else class="table-box">
        <table class="table services" data-testid="services">
          <thead><tr>
            <th>Status</th><th>Name</th><th class="wide">Group</th><th class="wide">Tags</th><th class="right">Latency</th>
            <th class="wide">Last 30 results</th><th class="right">24 h</th><th class="right wide">Interval</th>
          </tr></thead>
          <tbody>
            <tr v-for="{ id, row } in shown" :key="id" data-testid="service" :data-status="row.value.status">
              <td class="nowrap" :class="lookOf(row.value.status).token"><span class="symbol" aria-hidden="true">{{ lookOf(row.value.status).symbol }}</span> {{ lookOf(row.value.status).word }}</td>
              <td class="name"><a :href="'/services/' + id">{{ row.value.name }}</a></td>
              <td class="wide muted">{{ row.value.group }}</td>
              <td class="wide"><span v-for="tag in row.value.tags" :key="tag" class="tag">{{ tag }}</span></td>
              <td class="right num nowrap">{{ row.value.ms === null ? "–" : milliseconds(row.value.ms) + " ms" }}</td>
              <td class="wide"><Spark :values="row.value.spark" :token="lookOf(row.value.status).token" /></td>
              <td class="right num nowrap">{{ percent(row.value.uptime) }}</td>
              <td class="right num nowrap wide muted">{{ row.value.interval ? duration(row.value.interval) : "–" }}</td>
            </tr>
          </tbody>
        </table>
      </div>
      <p v-if="found.length > shown.length" class="more"><button class="btn" @click="drawn = Infinity">Show all {{ found.length }}</button></p>
    </div>`,
};
