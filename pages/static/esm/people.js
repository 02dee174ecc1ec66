/* People as coloured discs. A person is a row of [id, name, initials, colour]. */
import { computed } from "vue";

const SHOWN = 5;

export const Avatar = {
  props: { person: Array },
  template: `<span class="avatar" :style="{ background: person[3] }" :title="person[1]" aria-hidden="true">{{ person[2] }}</span>`,
};

export const Avatars = {
  props: { people: Array },
  setup: (props) => ({
    shown: computed(() => props.people.slice(0, SHOWN)),
    names: computed(() => props.people.map(([, name]) => name).join(", ")),
  }),
  components: { Avatar },
  template: `<span class="avatars" role="img" :aria-label="names"><Avatar v-for="person in shown" :key="person[0]" :person="person" /></span>`,
};
