"""Who asks, as services see them."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What an API key may be allowed. Somebody who signed in has every scope that their account permits."""

    POSTS_READ = "posts:read"
    POSTS_WRITE = "posts:write"
    USERS_READ = "users:read"
    ADMIN = "admin"


@dataclass(frozen=True)
class ClientInfo:
    """Where a request comes from."""

    address: str
    user_agent: str | None = None


@dataclass(frozen=True)
class Caller:
    """A recognised user: signed in (`session_id`), or by an API key (`scopes`)."""

    user_id: UUID
    is_admin: bool = False
    """May act as an administrator: the account is one, and a key has the scope for it."""
    is_verified: bool = True
    """The account's e-mail address is confirmed."""
    session_id: UUID | None = None
    key_id: UUID | None = None
    scopes: Set[Scope] | None = None
    """Null when signed in: no limit beyond the account's own."""

    def has(self, scope: Scope) -> bool:
        return self.scopes is None or scope in self.scopes

    def owns(self, user_id: UUID) -> bool:
        return self.user_id == user_id
