"""Times as the browser's owner reads them: in their time zone, and ticking without a round trip."""

from datetime import datetime

from nicegui import ui


class Moment(ui.element, component="moment.js"):
    """When it was: day, month and time; the pointer shows the rest."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.props["at"], self.props["kind"] = at.timestamp(), "at"


class Lasting(ui.element, component="moment.js"):
    """How long it lasted, or lasts until now while `until` is None."""

    def __init__(self, since: datetime, until: datetime | None) -> None:
        super().__init__()
        self.props["at"], self.props["kind"] = since.timestamp(), "lasting"
        if until is not None:
            self.props["until"] = until.timestamp()
