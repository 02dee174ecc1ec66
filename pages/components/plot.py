"""A chart of plotly's, drawn from a dict (see latency_figure)."""

from nicegui import ui


class Plot(ui.plotly, component="plot.js"):
    """`update_figure` draws a whole figure; `run_plot_method` calls a function of plotly.js, whenever it is loaded."""
