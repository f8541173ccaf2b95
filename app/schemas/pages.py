"""Pages of a list: bounded, newest first, continued by an opaque cursor."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol, Self
from uuid import UUID

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from app.schemas.base import Entity, Input, Output

_LAYOUT = struct.Struct(">q16s")
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Position:
    """A place in a list ordered by time and id, both descending: the next page starts right after it."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """The time counts back from the end of the calendar, so that every text of the contract's pattern is one."""
        micros = (_END - self.at) // timedelta(microseconds=1)
        return urlsafe_b64encode(_LAYOUT.pack(micros, self.id.bytes)).decode()

    @classmethod
    def decode(cls, cursor: object) -> Self:
        """The position in a cursor; ValueError for anything that `encode` didn't make."""
        try:
            micros, id_bytes = _LAYOUT.unpack(urlsafe_b64decode(str(cursor)))
            position = cls(_END - timedelta(microseconds=micros), UUID(bytes=id_bytes))
        except (ValueError, OverflowError, struct.error):
            position = None
        # The decoder ignores characters outside its alphabet, so compare with the canonical encoding.
        if position is None or position.encode() != cursor:
            raise ValueError("not a cursor of this list; start again without one")
        return position


START = Position(_END, UUID(int=2**128 - 1))
"""Before the first row of every list."""

Cursor = Annotated[
    Position,
    PlainValidator(Position.decode),
    PlainSerializer(Position.encode),  # without it the contract would describe what is inside
    # The years 868 to 9999: 2**58 microseconds.
    WithJsonSchema(
        {"type": "string", "pattern": "^A[A-Za-z0-9_-]{31}$", "description": "`next_cursor` of the page before."}
    ),
]


class PageQuery(Input):
    limit: int = Field(default=20, ge=1, le=100, description="How many items at the most.")
    cursor: Cursor | None = None

    @property
    def after(self) -> Position:
        return self.cursor or START


class HasId(Protocol):
    @property
    def id(self) -> UUID: ...


def next_cursor_of[Row: HasId](rows: Sequence[Row], limit: int, *, at: Callable[[Row], datetime]) -> str | None:
    """Where the next page starts; None when the rows, of which one more than `limit` was asked for, are the last."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return Position(at(last), last.id).encode()


class Page[Item: Entity](Output):
    items: list[Item]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")

    @classmethod
    def of[Row: HasId](cls, rows: Sequence[Row], limit: int, *, at: Callable[[Row], datetime]) -> Self:
        """A page of at most `limit` of the rows; one row more than that says that there is a next page.

        `at` returns the time by which the list is ordered.
        """
        items = [_by_name(row) for row in rows[:limit]]
        return cls.model_validate({"items": items, "next_cursor": next_cursor_of(rows, limit, at=at)})


def _by_name(row: Any) -> Any:
    """A row of a query as a dict: to ask it for one attribute after the other takes validation three times as long."""
    fields = getattr(row, "_fields", None)  # as named tuples have it
    return dict(zip(fields, row, strict=True)) if fields else row
