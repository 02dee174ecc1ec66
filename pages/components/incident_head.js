import { duration } from "pulse/format.js";
import { Avatar, Avatars } from "pulse/people.js";

const STATUSES = { open: "Open", investigating: "Investigating", resolved: "Resolved" };

/* The top of an incident. What I ask for shows at once, greyed, until the server has said what became of it: a new version,
   or `settle` when it refused. */
export default {
  props: { incident: Object, people: Array, members: Array, me: Array, mayWork: Boolean, mayResolve: Boolean },
  emits: ["acknowledge", "assign", "status"],
  components: { Avatar, Avatars },
  setup: () => ({ duration, statuses: Object.entries(STATUSES) }),
  data: () => ({ now: Date.now() / 1000, wish: null }),
  computed: {
    shown() {
      return { ...this.incident, ...this.wish };
    },
    done() {
      return this.shown.status === "resolved";
    },
    isNew() {
      return !this.done && this.shown.acknowledged_at === null;
    },
    isMine() {
      return this.shown.owner?.[0] === this.me[0];
    },
    lasted() {
      return duration((this.shown.resolved_at ?? this.now) - this.shown.opened_at);
    },
    reaction() {
      return duration(this.shown.acknowledged_at - this.shown.opened_at);
    },
    others() {
      return this.members.filter(([id]) => id !== this.shown.owner?.[0]);
    },
  },
  watch: {
    "incident.version"() {
      this.wish = null;
    },
  },
  mounted() {
    this.timer = setInterval(() => (this.now = Date.now() / 1000), 1000);
  },
  unmounted() {
    clearInterval(this.timer);
  },
  methods: {
    /* What the server calls. */
    settle() {
      this.wish = null;
    },

    acknowledge() {
      const owner = this.incident.owner ?? this.me;
      this.wish = { status: "investigating", acknowledged_at: Date.now() / 1000, owner };
      this.$emit("acknowledge", { version: this.incident.version });
    },
    assign(owner) {
      this.wish = { owner };
      this.$emit("assign", { version: this.incident.version, owner: owner?.[0] ?? null });
    },
    choose(status) {
      if (status === this.shown.status) return;
      if (status === "resolved") return this.$refs.sure.showModal();
      this.setStatus(status);
    },
    setStatus(status) {
      this.wish = { status };
      if (status === "resolved") this.wish.resolved_at = Date.now() / 1000;
      else this.wish.acknowledged_at = this.incident.acknowledged_at ?? Date.now() / 1000;
      this.$emit("status", { version: this.incident.version, status });
    },
    resolve() {
      this.$refs.sure.close();
      this.setStatus("resolved");
    },
    mayChoose(status) {
      return !this.done && (status === "resolved" ? this.mayResolve : this.mayWork);
    },
  },
  template: `
    <div class="incident-head">
      <header class="page-head">
        <span class="pill" :class="shown.token" data-testid="severity"><span aria-hidden="true">{{ shown.symbol }}</span>{{ shown.severity }}</span>
        <h1><span class="num muted">#{{ shown.number }}</span> {{ shown.title }}</h1>
        <span class="spacer"></span>
        <span class="line here" data-testid="here"><Avatars :people="people" /><span class="muted num nowrap">{{ people.length }} here now</span></span>
        <span v-if="!done && (mayWork || mayResolve)" class="line actions">
          <button v-if="mayWork && isNew" class="btn primary" data-testid="acknowledge" @click="acknowledge">Acknowledge</button>
          <span v-if="mayWork" class="btn-pair">
            <button v-if="!isMine" class="btn" data-testid="assign-to-me" @click="assign(me)">Assign to me</button>
            <button class="btn" :class="{ square: !isMine }" :aria-label="isMine ? null : 'Assign to somebody else'" aria-haspopup="menu" data-testid="assign">
              <template v-if="isMine">Assign</template> <span aria-hidden="true">▾</span>
              <q-menu anchor="bottom right" self="top right" auto-close>
                <q-list>
                  <q-item v-for="member in others" :key="member[0]" clickable data-testid="member" @click="assign(member)">
                    <span class="line"><Avatar :person="member" />{{ member[1] }}</span>
                  </q-item>
                  <q-item v-if="shown.owner" clickable data-testid="member" @click="assign(null)"><span class="muted">Nobody</span></q-item>
                </q-list>
              </q-menu>
            </button>
          </span>
          <button v-if="mayResolve" class="btn" :class="{ primary: !isNew }" data-testid="resolve" @click="choose('resolved')">Resolve</button>
        </span>
      </header>
      <div class="facts" :class="{ 'is-waiting': wish }" data-testid="facts" :data-status="shown.status" :aria-busy="wish !== null">
        <span>{{ done ? "Lasted" : "Open for" }} <b class="num">{{ lasted }}</b></span>
        <span v-if="shown.acknowledged_at !== null">Acknowledged in <b class="num">{{ reaction }}</b></span>
        <span v-else>{{ done ? "Never acknowledged" : "Not acknowledged yet" }}</span>
        <span>Owner <b>{{ shown.owner ? shown.owner[1] : "nobody" }}</b></span>
        <span>Affects <a :href="'/services/' + shown.service_id"><b>{{ shown.service }}</b></a><template v-if="shown.group">, {{ shown.group }}</template></span>
        <span class="statuses"><span class="seg" role="group" aria-label="Status">
          <button v-for="[name, word] in statuses" :key="name" type="button" :class="'is-' + name" :aria-pressed="shown.status === name"
            :disabled="!mayChoose(name) && shown.status !== name" @click="mayChoose(name) && choose(name)">{{ word }}</button>
        </span></span>
      </div>
      <dialog ref="sure" class="sheet" aria-labelledby="sure-title" data-testid="sure">
        <h2 id="sure-title">Resolve #{{ shown.number }}?</h2>
        <p>An incident that is resolved stays resolved. If {{ shown.service }} fails again after that, a new incident opens.</p>
        <div class="line">
          <span class="spacer"></span>
          <form method="dialog"><button class="btn">Keep it open</button></form>
          <button class="btn primary" data-testid="sure-resolve" @click="resolve">Resolve</button>
        </div>
      </dialog>
    </div>`,
};
