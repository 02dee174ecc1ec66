"""Who asks: a person in one team with one role."""

from dataclasses import dataclass

from app.core.errors import Forbidden
from app.domain.access import Permission, Role, may


@dataclass(frozen=True, slots=True)
class Actor:
    """`session_id` is the jti of the token that the request came with."""

    user_id: int
    name: str
    email: str
    team_id: int
    team_name: str
    role: Role
    theme: str = "auto"
    avatar_color: str = "#6c5ce7"
    session_id: str = ""

    @property
    def initials(self) -> str:
        return initials(self.name)

    def may(self, permission: Permission) -> bool:
        return may(self.role, permission)

    def require(self, permission: Permission) -> None:
        """Raise Forbidden unless the role has the permission."""
        if not self.may(permission):
            raise Forbidden(f"Your role ({self.role.value}) doesn't allow this. Ask an admin of {self.team_name}.")


def initials(name: str) -> str:
    """Two letters for an avatar."""
    words = name.replace("-", " ").replace("_", " ").replace(".", " ").split()
    letters = words[0][:1] + words[-1][:1] if len(words) > 1 else (words[0][:2] if words else "?")
    return letters.upper()
