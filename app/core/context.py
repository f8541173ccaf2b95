"""The current request's (or command's) id, actor and work, in context variables."""

from collections.abc import Callable
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


@dataclass
class Work:
    """What the database's pools have to know of a request; outside of one, nothing is known."""

    subject: str = ""
    """What it is about: requests for one path wait for each other rather than keep all others waiting."""
    is_client_gone: Callable[[], bool] = lambda: False
    has_begun: bool = False
    """Whether it has had a connection for writes. From then on it comes to its end, whether the client waits or not."""
    connections: int = 0
    """How many for writes it has now."""

    def is_abandoned(self) -> bool:
        return not self.has_begun and self.is_client_gone()


ANONYMOUS = Actor()

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_actor: ContextVar[Actor] = ContextVar("actor", default=ANONYMOUS)
_work: ContextVar[Work | None] = ContextVar("work", default=None)


def new_request_id() -> str:
    return uuid7().hex


def request_id() -> str:
    """The id of the request at hand, or an empty text outside of one."""
    return _request_id.get()


def work() -> Work:
    return _work.get() or Work()


def actor() -> Actor:
    return _actor.get()


def act_as(who: Actor) -> None:
    """From here to the end of the request, changes are recorded for this actor."""
    _actor.set(who)


class request_context:  # noqa: N801 - it is used like a function, and a generator would cost each request more
    """Binds the id, and until somebody is recognised, the anonymous actor."""

    def __init__(self, request_id: str, who: Actor = ANONYMOUS, work: Work | None = None) -> None:
        self._bound = request_id, who, work

    def __enter__(self) -> None:
        request_id, who, work = self._bound
        self._tokens = _request_id.set(request_id), _actor.set(who), _work.set(work)

    def __exit__(self, *_: object) -> None:
        request_id, who, work = self._tokens
        _work.reset(work)
        _actor.reset(who)
        _request_id.reset(request_id)
