"""What people see. Each page is a module with `register()`."""

from app.live.presence import Presence
from pages import channels, incident, incidents, live, overview, presence, service, service_form, services, theme


def register(updates: live.Live, people: Presence) -> None:
    """Add every page to NiceGUI's app; `updates` brings live updates to them, `people` tells who is where."""
    theme.register()
    live.install(updates)
    presence.install(people)
    overview.register()
    services.register()
    service_form.register()
    service.register()
    incidents.register()
    incident.register()
    channels.register()
