import { freshness } from "pulse/freshness.js";
import { keep, kept } from "pulse/kept.js";
import { Avatar } from "pulse/people.js";
import { Prose } from "pulse/prose.js";

const SHOW = { all: "All", people: "People", system: "System" };
const TYPING_EVERY_MS = 2000;
const TYPING_FOR_MS = 4000;
const NEAR_PX = 160;

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/* An incident's timeline and the place to write. Lines come in order of their ids and are held once each; my own comment
   shows at once and waits, greyed, for the server's word. What is typed survives a reload until the server has it. */
export default {
  props: { incident: Number, me: Array, first: Array, canWrite: Boolean, longest: Number },
  emits: ["send", "typing"],
  components: { Avatar, Prose },
  setup: () => ({ freshness, filters: Object.entries(SHOW) }),
  data() {
    const asked = new URLSearchParams(window.location.search).get("show");
    return { lines: this.first, waiting: [], typists: [], draft: "", refusal: "", show: asked in SHOW ? asked : "all", newId: null };
  },
  computed: {
    shown() {
      if (this.show === "all") return this.lines;
      return this.lines.filter((line) => (this.show === "people") === Boolean(line.who));
    },
    shownWaiting() {
      return this.show === "system" ? [] : this.waiting;
    },
    typing() {
      const names = this.typists.map(({ person }) => person[1]);
      if (names.length > 2) return `${names.length} people are typing…`;
      return names.length ? `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
    },
    length() {
      return [...this.draft.trim()].length;
    },
    tooLong() {
      return this.length > this.longest;
    },
  },
  watch: {
    draft() {
      keep(this.key("draft"), this.draft);
      this.$nextTick(this.fit);
    },
    waiting: {
      deep: true,
      handler() {
        keep(this.key("waiting"), this.waiting.length ? this.waiting : null);
      },
    },
  },
  created() {
    this.typedAt = -Infinity;
    // A comment that the page was left with: the server has it, or it goes back to where it was written.
    const mine = new Set(this.lines.filter((line) => line.who?.[0] === this.me[0]).map((line) => line.text));
    const unsent = kept(this.key("waiting"), []).filter(({ text }) => !mine.has(text));
    keep(this.key("waiting"), null);
    this.draft = [...unsent.map(({ text }) => text), kept(this.key("draft"), "")].filter(Boolean).join("\n\n");
    this.markNew(kept(this.key("seen"), null));
  },
  mounted() {
    this.fit();
    document.addEventListener("visibilitychange", this.onVisibility);
    window.addEventListener("pagehide", this.markSeen);
    if (document.visibilityState === "visible") this.markSeen();
  },
  unmounted() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    window.removeEventListener("pagehide", this.markSeen);
    this.typists.forEach(({ timer }) => clearTimeout(timer));
  },
  methods: {
    /* What the server calls. */
    append(lines) {
      const follow = this.isAtEnd();
      lines.forEach(this.put);
      if (document.visibilityState === "visible") this.markSeen();
      if (follow) this.$nextTick(this.toEnd);
    },
    confirm(key, line) {
      this.waiting = this.waiting.filter((comment) => comment.key !== key);
      this.put(line);
    },
    refuse(key, words) {
      const refused = this.waiting.find((comment) => comment.key === key);
      this.waiting = this.waiting.filter((comment) => comment.key !== key);
      if (refused) this.draft = [refused.text, this.draft].filter(Boolean).join("\n\n");
      this.refusal = words;
      this.$refs.field?.focus();
    },
    showTyping(person) {
      if (person[0] === this.me[0]) return;
      this.stopTyping(person[0]);
      this.typists.push({ person, timer: setTimeout(() => this.stopTyping(person[0]), TYPING_FOR_MS) });
    },

    put(line) {
      const at = this.lines.findLastIndex((held) => held.id <= line.id);
      if (this.lines[at]?.id === line.id) return;
      this.lines.splice(at + 1, 0, line);
      if (line.who) this.stopTyping(line.who[0]);
    },
    stopTyping(id) {
      this.typists.filter(({ person }) => person[0] === id).forEach(({ timer }) => clearTimeout(timer));
      this.typists = this.typists.filter(({ person }) => person[0] !== id);
    },
    onInput() {
      this.refusal = "";
      const now = performance.now();
      if (!this.draft.trim() || now - this.typedAt < TYPING_EVERY_MS) return;
      this.typedAt = now;
      this.$emit("typing");
    },
    send() {
      const text = this.draft.trim();
      if (!text || this.tooLong) return this.$refs.field.focus();
      const key = `${Date.now()}-${Math.random()}`;
      this.waiting.push({ key, text, at: Date.now() / 1000 });
      this.draft = this.refusal = "";
      this.typedAt = -Infinity;
      this.$emit("send", { key, text });
      this.$nextTick(this.toEnd);
    },
    choose(show) {
      this.show = show;
      const address = new URL(window.location.href);
      if (show === "all") address.searchParams.delete("show");
      else address.searchParams.set("show", show);
      window.history.replaceState(window.history.state, "", address);
    },

    key(what) {
      return `pulse:${what}:${this.incident}:${this.me[0]}`;
    },
    onVisibility() {
      if (document.visibilityState === "visible") {
        this.markNew(kept(this.key("seen"), null));
        this.markSeen();
      }
    },
    markNew(seen) {
      this.newId = seen === null ? null : this.lines.find((line) => line.id > seen && line.who?.[0] !== this.me[0])?.id;
    },
    markSeen() {
      keep(this.key("seen"), this.lines.at(-1)?.id ?? 0);
    },
    fit() {
      const field = this.$refs.field;
      if (!field) return;
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight + 2}px`;
    },
    isAtEnd() {
      const page = document.documentElement;
      return page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_PX;
    },
    toEnd() {
      this.$refs.end.scrollIntoView({ block: "nearest" });
    },
    time(at) {
      const date = new Date(at * 1000);
      return DAY.format(date) === DAY.format(new Date()) ? TIME.format(date) : MINUTE.format(date);
    },
    full: (at) => FULL.format(new Date(at * 1000)),
    iso: (at) => new Date(at * 1000).toISOString(),
  },
  template: `
    <section class="card thread" aria-labelledby="timeline-title">
      <div class="card-title">
        <h2 id="timeline-title">Timeline</h2>
        <span class="spacer"></span>
        <div class="seg" role="group" aria-label="Show">
          <button v-for="[name, word] in filters" :key="name" type="button" :aria-pressed="show === name" @click="choose(name)">{{ word }}</button>
        </div>
      </div>
      <ol class="timeline" aria-live="polite" aria-relevant="additions" data-testid="timeline">
        <template v-for="line in shown" :key="line.id">
          <li v-if="line.id === newId" class="new-line" data-testid="new">New since you left</li>
          <li class="moment" :data-testid="line.text === undefined ? 'line' : 'comment'">
            <Avatar v-if="line.who" :person="line.who" />
            <span v-else class="dot" :class="line.token" aria-hidden="true">{{ line.symbol }}</span>
            <div class="what">
              <div><template v-for="[words, strong] in line.parts"><b v-if="strong">{{ words }}</b><template v-else>{{ words }}</template></template></div>
              <div v-if="line.detail" class="mono muted">{{ line.detail }}</div>
              <div v-if="line.text !== undefined" class="bubble"><Prose :text="line.text" /></div>
            </div>
            <time class="when" :datetime="iso(line.at)" :title="full(line.at)">{{ time(line.at) }}</time>
          </li>
        </template>
        <li v-for="comment in shownWaiting" :key="comment.key" class="moment is-waiting" data-testid="waiting">
          <Avatar :person="me" />
          <div class="what"><b>{{ me[1] }}</b><div class="bubble"><Prose :text="comment.text" /></div></div>
          <span class="when">{{ freshness.stale ? "goes when the connection is back" : "sending…" }}</span>
        </li>
        <li v-if="!shown.length && !shownWaiting.length" class="muted nothing">{{ show === "people" ? "Nobody has written or done anything yet." : "Nothing happened yet." }}</li>
      </ol>
      <div class="typing" aria-live="polite" data-testid="typing">
        <template v-if="typing"><Avatar v-for="{ person } in typists.slice(0, 3)" :key="person[0]" :person="person" /><span class="muted">{{ typing }}</span></template>
      </div>
      <form v-if="canWrite" class="composer" @submit.prevent="send">
        <p v-if="refusal" class="error" role="alert" data-testid="refusal">{{ refusal }}</p>
        <p v-else-if="tooLong" class="error" role="alert">A comment has at most {{ longest.toLocaleString("en") }} characters; this one has {{ length.toLocaleString("en") }}.</p>
        <div class="box">
          <textarea ref="field" v-model="draft" rows="1" placeholder="Write an update" aria-label="Write an update" data-testid="composer"
            @input="onInput" @keydown.ctrl.enter.prevent="send" @keydown.meta.enter.prevent="send"></textarea>
          <kbd aria-hidden="true">Ctrl ↵</kbd>
          <button class="btn" :class="{ primary: draft.trim() }" :disabled="tooLong" data-testid="send">Send</button>
        </div>
      </form>
      <p v-else class="muted small nothing">Your role can read this incident, but not write to it.</p>
      <div ref="end" class="thread-end"></div>
    </section>`,
};
