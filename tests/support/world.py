"""A small world to send requests into: somebody who owns a row of every kind, somebody else, an administrator."""

from dataclasses import dataclass, field

from app.core.identity import Scope
from app.db.models.user import User
from tests.support.accounts import hashed
from tests.support.callers import Callers, Headers, Save
from tests.support.users import new_user


@dataclass
class World:
    """Who is in it. What the owner has besides is stored by the resources (tests/resources)."""

    save: Save
    callers: Callers
    owner: User = field(default_factory=lambda: new_user(password_hash=hashed()))
    other: User = field(default_factory=lambda: new_user(password_hash=hashed()))
    admin: User = field(default_factory=lambda: new_user(password_hash=hashed(), is_admin=True))
    ids: dict[str, str] = field(default_factory=dict)
    """What a path's parameters stand for."""
    secrets: dict[str, str] = field(default_factory=dict)
    """What opens the owner's things, by name: only its hash is stored."""

    async def headers_of(self, caller: str, scope: Scope | None = None) -> Headers:
        """The headers of one of CALLERS; `scope` is the route's. Whoever is `gone` stays so."""
        if caller in ("other", "owner", "admin"):
            return await self.callers.signed_in(getattr(self, caller))
        ordinary = set(Scope) - {Scope.ADMIN}
        keys = {
            "key": (self.owner, ordinary - {scope}),
            "key+": (self.owner, set(Scope)),
            "a-key": (self.admin, ordinary),
            "a-key+": (self.admin, set(Scope)),
        }
        if caller in keys:
            user, scopes = keys[caller]
            return await self.callers.with_key(user, *scopes)
        if caller == "anon":
            return {}
        headers = await self.callers.signed_in(self.owner)
        self.owner.is_active = False
        await self.save(self.owner)
        return headers
