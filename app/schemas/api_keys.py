"""API keys on the wire."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, FailFast, Field

from app.core.identity import Scope
from app.schemas.auth import CurrentPassword
from app.schemas.base import Entity, Input, Line


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not between the years 1 and 9999") from None


class ApiKeyCreate(Input):
    name: Annotated[Line, Field(max_length=100, examples=["deploy script"])]
    scopes: Annotated[set[Scope], FailFast()] = Field(min_length=1)
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
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
