"""API keys on the wire."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, FailFast, Field

from app.core.identity import Scope
from app.schemas.auth import CurrentPassword
from app.schemas.base import Entity, Input, Line

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _written_out(value: Any) -> Any:
    """Pydantic would take numbers too, of seconds or of milliseconds, and times without seconds."""
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        return value
    raise ValueError("write a time such as 2030-01-31T12:00:00Z")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not between the years 1 and 9999") from None


class ApiKeyCreate(Input):
    name: Annotated[Line, Field(max_length=100, examples=["deploy script"])]
    scopes: Annotated[set[Scope], FailFast()] = Field(min_length=1)
    expires_at: Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)] | None = None
    current_password: CurrentPassword | None = Field(
        default=None, description="Needed: a key outlives the session that makes it."
    )


class ApiKeyRead(Entity):
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class ApiKeyCreated(ApiKeyRead):
    key: str = Field(description="Shown this once.")
