/* Plotly in an element that may come and go at any time: what is asked of it before plotly is loaded waits, and nothing
   is drawn or measured once the element is gone or hidden. */
export default {
  props: { options: Object },
  template: "<div></div>",
  async mounted() {
    this.waiting = [];
    const { Plotly } = await import("nicegui-plotly");
    if (this.gone) return;
    const asked = this.waiting;
    this.plotly = Plotly;
    this.update();
    asked.forEach(([name, args]) => this.run_plot_method(name, ...args));
    this.observer = new ResizeObserver(() => this.$el.offsetParent && Plotly.Plots.resize(this.$el));
    this.observer.observe(this.$el);
  },
  unmounted() {
    this.gone = true;
    this.observer?.disconnect();
    this.plotly?.purge(this.$el);
  },
  methods: {
    /* A whole figure has everything in it that was asked for before. */
    update() {
      this.waiting = [];
      const { data, layout, config } = this.options;
      if (this.plotly && !this.gone) this.plotly.react(this.$el, data, layout, config);
    },
    run_plot_method(name, ...args) {
      if (this.gone) return;
      if (this.plotly) this.plotly[name](this.$el, ...args);
      else this.waiting.push([name, args]);
    },
  },
};
