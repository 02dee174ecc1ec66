"""People as the browser draws them (see static/esm/people.js)."""

from app.live.presence import Viewer
from app.usecases.actor import Actor, initials
from models import User

Person = tuple[int, str, str, str]
"""Id, name, initials and colour."""

NOBODYS_COLOUR = "#5d6b80"
"""Of somebody whose account is gone."""


def person_of(who: User | Actor | Viewer) -> Person:
    if isinstance(who, User):
        return (who.id or 0, who.name, initials(who.name), who.avatar_color)
    if isinstance(who, Actor):
        return (who.user_id, who.name, who.initials, who.avatar_color)
    return (who.user_id, who.name, who.initials, who.color)
