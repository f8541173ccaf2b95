"""The current request's (or command's) id and actor, in context variables."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from uuid_utils import uuid7


@dataclass(frozen=True)
class Actor:
    """Whom the audit log names for a change; `id` is the user's, and null for those who aren't signed in."""

    kind: Literal["anonymous", "user", "api_key", "command"] = "anonymous"
    id: UUID | None = None
    key_id: UUID | None = None


_request_id: ContextVar[str] = ContextVar("request_id", default="")
_actor: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 - it is frozen


def new_request_id() -> str:
    return uuid7().hex


def request_id() -> str:
    """The id of the request at hand, or an empty text outside of one."""
    return _request_id.get()


def actor() -> Actor:
    return _actor.get()


def act_as(who: Actor) -> None:
    """From here to the end of the request, changes are recorded for this actor."""
    _actor.set(who)


@contextmanager
def request_context(request_id: str, who: Actor | None = None) -> Iterator[None]:
    """Binds the id, and until somebody is recognised, the anonymous actor."""
    id_token, actor_token = _request_id.set(request_id), _actor.set(who or Actor())
    try:
        yield
    finally:
        _actor.reset(actor_token)
        _request_id.reset(id_token)
