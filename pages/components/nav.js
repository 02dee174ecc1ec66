import { freshness } from "pulse/freshness.js";
import { ago } from "pulse/format.js";
import { listenForKeys } from "pulse/keys.js";

const THEMES = ["auto", "dark", "light"];
const THEME_WORDS = { auto: "as the system", dark: "dark", light: "light" };

export default {
  props: { entries: Array, active: String, team: String, user: Array, theme: String, open: Number },
  emits: ["theme"],
  setup(props) {
    freshness.open = props.open;
    return { freshness, ago };
  },
  data() {
    return { chosen: this.theme };
  },
  computed: {
    rows() {
      let last = "";
      return this.entries.map(([name, title, href, key, section]) => {
        const heading = section !== last ? section : "";
        last = section;
        return { name, title, href, key, heading };
      });
    },
    nextTheme() {
      return THEMES[(THEMES.indexOf(this.chosen) + 1) % THEMES.length];
    },
    themeLabel() {
      return `Theme: ${THEME_WORDS[this.chosen]}. Change to ${THEME_WORDS[this.nextTheme]}.`;
    },
  },
  mounted() {
    this.apply(this.theme);
    this.stopKeys = listenForKeys(this.entries, () => this.$refs.keys.showModal());
  },
  unmounted() {
    this.stopKeys();
  },
  methods: {
    apply(theme) {
      const root = document.documentElement;
      if (theme === "auto") delete root.dataset.theme;
      else root.dataset.theme = theme;
      window.setDark({ dark: true, light: false, auto: null }[theme]);
      const dark = getComputedStyle(root).colorScheme === "dark";
      window.dispatchEvent(new CustomEvent("pulse:theme", { detail: { dark } }));
    },
    changeTheme() {
      this.chosen = this.nextTheme;
      this.apply(this.chosen);
      this.$emit("theme", this.chosen);
    },
  },
  template: `
    <nav class="nav" aria-label="Main">
      <a class="brand" href="/"><i></i>Pulseboard</a>
      <div class="team ellipsis" :title="'Team: ' + team">Team: {{ team }}</div>
      <div class="entries">
        <template v-for="entry in rows" :key="entry.name">
          <div v-if="entry.heading" class="section">{{ entry.heading }}</div>
          <a class="entry" :href="entry.href" :aria-current="entry.name === active ? 'page' : null">
            <i class="icon" :class="'icon-' + entry.name"></i>{{ entry.title }}
            <span v-if="entry.name === 'incidents' && freshness.open" class="badge" data-testid="open-incidents"
              :aria-label="freshness.open + ' open'">{{ freshness.open }}</span>
          </a>
        </template>
      </div>
      <div class="me">
        <span class="avatar" :style="{ background: user[2] }" aria-hidden="true">{{ user[1] }}</span>
        <div class="who">
          <div class="ellipsis">{{ user[0] }}</div>
          <div class="faint tiny">{{ user[3] }}</div>
        </div>
        <button class="btn quiet square" :aria-label="themeLabel" :title="themeLabel" data-testid="theme" @click="changeTheme">
          <i class="icon" :class="'icon-' + chosen"></i>
        </button>
        <form method="post" action="/logout">
          <button class="btn quiet square" aria-label="Sign out" title="Sign out"><i class="icon icon-leave"></i></button>
        </form>
      </div>
      <Teleport to="body">
        <div class="lost-bar" role="alert" data-testid="lost" :hidden="!freshness.stale">
          <template v-if="freshness.stale">
            <span aria-hidden="true">✕</span> Connection lost
            <span aria-hidden="true">· data from {{ ago(freshness.age) }} ago · trying again</span>
          </template>
        </div>
        <dialog ref="keys" class="sheet" aria-label="Keys" data-testid="keys">
          <h2>Keys</h2>
          <dl>
            <dt><kbd>/</kbd></dt><dd>Search or filter</dd>
            <template v-for="entry in rows" :key="entry.name">
              <dt><kbd>g</kbd> <kbd>{{ entry.key }}</kbd></dt><dd>Go to {{ entry.title }}</dd>
            </template>
            <dt><kbd>?</kbd></dt><dd>These keys</dd>
            <dt><kbd>Esc</kbd></dt><dd>Close</dd>
          </dl>
          <form method="dialog"><button class="btn">Close</button></form>
        </dialog>
      </Teleport>
    </nav>`,
};
