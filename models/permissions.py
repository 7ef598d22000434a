"""Who may do what: tables, and nothing else. `models.store.scoping` finds out what a person is to a chat.

Three answers are possible, because existence is concealed (spec api.md section 1): who may not even read a
thing is told that there is none.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    AUDITOR = "auditor"


class SiteRole(StrEnum):
    """What a user is beyond organizations."""

    NONE = ""
    OWNER = "owner"


class Access(StrEnum):
    """What a user is to a chat. None at all: there is no such chat for them."""

    OWNER = "owner"
    ADMIN = "admin"
    AUDITOR = "auditor"
    READER = "reader"


class ChatAction(StrEnum):
    """`RUN` is what has a turn run, or decides on its content: it happens with the owner's credentials."""

    READ = "read"
    UPDATE = "update"
    RUN = "run"
    SHARE = "share"


class Verdict(StrEnum):
    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    HIDDEN = "hidden"


_OK, _NO, _HIDDEN = Verdict.ALLOWED, Verdict.FORBIDDEN, Verdict.HIDDEN

CHATS: dict[Access, dict[ChatAction, Verdict]] = {
    access: dict(zip(ChatAction, verdicts, strict=True))
    for access, verdicts in {
        #               READ  UPDATE   RUN      SHARE
        Access.OWNER: (_OK, _OK, _OK, _OK),
        Access.ADMIN: (_OK, _OK, _NO, _OK),
        Access.AUDITOR: (_OK, _HIDDEN, _HIDDEN, _NO),
        Access.READER: (_OK, _HIDDEN, _HIDDEN, _NO),
    }.items()
}


class Permission(StrEnum):
    """What a role lets a member do with the organization."""

    CREATE_CHATS = "create chats"
    READ_ALL_CHATS = "read all chats"
    UPDATE_ALL_CHATS = "update all chats"
    READ_AUDIT = "read the audit log"
    MANAGE = "manage members, groups, models and settings"
    MANAGE_OWNERS = "make and unmake owners"


ROLES: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {Permission.MANAGE_OWNERS},
    Role.MEMBER: frozenset({Permission.CREATE_CHATS}),
    Role.AUDITOR: frozenset({Permission.READ_ALL_CHATS, Permission.READ_AUDIT}),
}

SITE_OWNER = frozenset(Permission) - {Permission.CREATE_CHATS}
"""What a site owner may do in every organization. Chats belong to members."""


class Scope(StrEnum):
    """What a token lets its user do, of what the user may. `ACCOUNT`: everything that is no chat. `GATEWAY`:
    calling models through the gateway."""

    ALL = "all"
    CHAT_READ = "chat:read"
    CHAT_WRITE = "chat:write"
    ACCOUNT_READ = "account:read"
    ACCOUNT_WRITE = "account:write"
    GATEWAY = "gateway"


_IMPLIED = {Scope.CHAT_WRITE: Scope.CHAT_READ, Scope.ACCOUNT_WRITE: Scope.ACCOUNT_READ}


def granted(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """All scopes that these amount to: who may write may read."""
    if Scope.ALL in scopes:
        return frozenset(Scope)
    return scopes | {_IMPLIED[scope] for scope in scopes if scope in _IMPLIED}


def roles_with(permission: Permission) -> list[Role]:
    """The roles that carry a permission."""
    return [role for role in Role if permission in ROLES[role]]
