/* What stands around the services: open incidents and activity. They read the clock, the board itself doesn't. */
import { inject } from "vue";
import { ago, duration } from "./format.js";
import { activityLook, lookOf } from "./looks.js";

const SHOWN = 3;
const WORDS = { critical: "Critical", warning: "Warning" };

export const Incidents = {
  props: { incidents: Array, severities: Object },
  setup: () => ({ clock: inject("clock"), duration, WORDS }),
  computed: {
    shown() {
      return this.incidents.slice(0, SHOWN);
    },
  },
  methods: {
    look(incident) {
      return lookOf(this.severities[incident.severity]);
    },
    state(incident) {
      const status = incident.status[0].toUpperCase() + incident.status.slice(1);
      return incident.viewers.length ? `${incident.viewers.length} viewing · ${status}` : status;
    },
  },
  template: `
    <section v-if="incidents.length" class="incidents" aria-label="Open incidents">
      <div v-for="incident in shown" :key="incident.id" class="card incident" :class="'is-' + incident.severity" data-testid="incident">
        <span class="pill" :class="look(incident).token"><span aria-hidden="true">{{ look(incident).symbol }}</span>{{ WORDS[incident.severity] }}</span>
        <b class="title">{{ incident.title }}</b>
        <span class="muted num">opened {{ duration(clock - incident.opened_at) }} ago</span>
        <span class="spacer"></span>
        <span v-if="incident.viewers.length" class="avatars">
          <span v-for="viewer in incident.viewers.slice(0, 4)" :key="viewer.name" class="avatar" :style="{ background: viewer.color }" :title="viewer.name">{{ viewer.initials }}</span>
        </span>
        <span class="muted">{{ state(incident) }}</span>
        <a class="btn" :href="'/incidents/' + incident.number">Open thread</a>
      </div>
      <a v-if="incidents.length > shown.length" class="small" href="/incidents">{{ incidents.length - shown.length }} more open</a>
    </section>`,
};

export const Activity = {
  props: { lines: Array },
  setup: () => ({ clock: inject("clock"), ago, activityLook }),
  template: `
    <aside v-if="lines.length" aria-label="Activity">
      <h2 class="group-title">Activity</h2>
      <ul class="card feed" data-testid="activity">
        <li v-for="line in lines" :key="line.id">
          <component :is="line.href ? 'a' : 'div'" class="what" :href="line.href || null">
            <span class="symbol" :class="activityLook(line.icon).token" aria-hidden="true">{{ activityLook(line.icon).symbol }}</span>
            <span>{{ line.text }}</span>
          </component>
          <div class="when">{{ ago(clock - line.at) }} ago</div>
        </li>
      </ul>
    </aside>`,
};
