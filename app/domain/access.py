"""Who may do what: one table from roles to permissions."""

from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Permission(StrEnum):
    VIEW = "view"
    CHECK_NOW = "check:run"
    MANAGE_SERVICES = "service:manage"
    COMMENT = "incident:comment"
    ACKNOWLEDGE = "incident:acknowledge"
    RESOLVE = "incident:resolve"
    MANAGE_CHANNELS = "channel:manage"
    MANAGE_MEMBERS = "member:manage"


_VIEWER = frozenset({Permission.VIEW})
_DEVELOPER = _VIEWER | {Permission.CHECK_NOW, Permission.COMMENT, Permission.ACKNOWLEDGE}
_ADMIN = frozenset(Permission)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.DEVELOPER: _DEVELOPER,
    Role.ADMIN: _ADMIN,
}


def may(role: Role, permission: Permission) -> bool:
    return permission in PERMISSIONS[role]
