"""Adding and editing a channel, in a dialog over the list."""

from typing import Any

from nicegui import ui

from app.core.errors import Invalid
from app.usecases import channels
from models.channel import ChannelBase, ChannelPublic
from notifiers import NOTIFIERS
from pages import session as page_session
from pages.components.buttons import Button
from pages.components.form import Form, check_all
from pages.components.parts import Text
from pages.components.refusal import refusals


class ChannelForm:
    """`stored` is the channel that is edited, as people may see it; None adds one. Ctrl+Enter saves.

    What the server refuses stands under its field, and nothing that was typed is lost.
    """

    def __init__(self, stored: ChannelPublic | None) -> None:
        self._stored = stored
        self._kind = stored.kind if stored else next(iter(NOTIFIERS))
        with ui.dialog().props("persistent") as self._dialog, ui.card().props("data-testid=channel-form") as card:
            card.on("keydown.ctrl.enter", self._save, args=[]).on("keydown.meta.enter", self._save, args=[])
            Text(f"Edit {stored.name}" if stored else "Add a channel", "h2")
            self._draw_kinds()
            self._box = ui.element("div").classes("stack full")
            self._draw()
            with ui.element("div").classes("line full"):
                ui.element("span").classes("spacer")
                Button("Cancel", self._dialog.close)
                self._button = Button("Save", self._save, "primary")
                self._button.props["data-testid"] = "save"
        self._dialog.on("hide", self._dialog.delete, args=[])
        self._dialog.open()

    def _draw_kinds(self) -> None:
        if self._stored or len(NOTIFIERS) < 2:
            return
        kinds = ui.select({kind: found.title for kind, found in NOTIFIERS.items()}, value=self._kind, label="Kind")
        kinds.on_value_change(lambda event: self._choose(event.value))

    def _choose(self, kind: str) -> None:
        self._kind = kind
        self._draw()

    def _draw(self) -> None:
        self._box.clear()
        with self._box:
            self._base = Form(ChannelBase, self._stored.model_dump() if self._stored else None)
            self._config = Form(NOTIFIERS[self._kind].config, self._stored.config if self._stored else None)

    async def _save(self) -> None:
        if not self._button.is_enabled or not check_all([self._base, self._config]):
            return
        self._button.enable(False)
        try:
            with refusals():
                await self._store({"kind": self._kind, "config": self._config.values, **self._base.values})
                self._dialog.close()
        except Invalid as error:
            rest = self._base.show(self._config.show(error.fields))
            if rest:
                ui.notify(" ".join(rest.values()), type="negative")
        finally:
            self._button.enable()

    async def _store(self, values: dict[str, Any]) -> None:
        actor, sealer, stored = page_session.actor(), page_session.context().sealer, self._stored
        async with page_session.transaction() as session:
            if stored is None:
                await channels.add_channel(session, actor, values, sealer)
            else:
                await channels.edit_channel(session, actor, stored.id, values | {"version": stored.version}, sealer)
