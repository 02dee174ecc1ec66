"""What people see. Each page is a module with `register()`."""

from pages import live, overview, service, service_form, services, theme


def register(updates: live.Live) -> None:
    """Add every page to NiceGUI's app; `updates` brings live updates to them."""
    theme.register()
    live.install(updates)
    overview.register()
    services.register()
    service_form.register()
    service.register()
