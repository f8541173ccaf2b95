"""A post as other tools write it: front matter of Zola, Hugo or Jekyll, or a line of JSON."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from app.schemas.posts import Body, Slug, Title
from app.schemas.users import Email, Name

_NO_DATE = datetime(1, 1, 1, tzinfo=UTC)  # Go's zero time: Hugo writes it where there is no date
# Far from the ends of Python's calendar: asyncpg takes those for the infinities, which have no place on the wire.
_YEARS = range(1000, 9999)
_DAY_IN_PATH = re.compile(r"(?:^|/)(\d{4})[/-](\d{2})[/-](\d{2})(?=[/-])")


def _as_list(value: Any) -> Any:
    return [] if value is None else value if isinstance(value, list) else [value]


def _as_author(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _as_moment(value: Any) -> Any:
    """A day without a time is its midnight, and a time without a zone is UTC."""
    if isinstance(value, str):
        value = _parsed(value.strip())
    elif isinstance(value, int | float):
        raise ValueError("a number; write a date such as 2016-09-29")  # Pydantic would take 2016 for seconds of 1970
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    return _in_utc(value) if isinstance(value, datetime) else value


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a date; write one such as 2016-09-29 or 2016-09-29T10:00:00Z") from None


def _in_utc(moment: datetime) -> datetime | None:
    """None for the date that stands for none."""
    with suppress(OverflowError):
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment == _NO_DATE:
            return None
        if moment.year in _YEARS:
            return moment
    raise ValueError(f"not between the years {_YEARS[0]} and {_YEARS[-1]}")


def day_in_path(path: str) -> datetime | None:
    """Many blogs keep the date in the path alone: 2016/09/29/title, or Jekyll's 2016-09-29-title."""
    if found := _DAY_IN_PATH.search(path):
        year, month, day = map(int, found.groups())
        with suppress(ValueError):  # digits that are no date
            return datetime(year, month, day, tzinfo=UTC) if year in _YEARS else None
    return None


class ImportedAuthor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    email: Email | None = None


class ImportedPost(BaseModel):
    """`title`, an author and a path are needed; the path comes from the file's place when the text has none."""

    title: Title
    authors: Annotated[
        list[Annotated[ImportedAuthor, BeforeValidator(_as_author)]],
        BeforeValidator(_as_list),
        Field(min_length=1, max_length=100, validation_alias=AliasChoices("authors", "author")),
    ]
    slug: Slug = Field(validation_alias=AliasChoices("path", "slug"))
    body: Body = Field(validation_alias=AliasChoices("body", "content"))
    draft: bool = False
    published: bool = True  # Jekyll's word for the same
    published_at: Annotated[datetime | None, BeforeValidator(_as_moment)] = Field(
        default=None, validation_alias=AliasChoices("date", "published_at")
    )

    @model_validator(mode="after")
    def _completed(self) -> "ImportedPost":
        self.draft = self.draft or not self.published
        self.published_at = self.published_at or day_in_path(self.slug)
        return self


TEXT_FIELDS = frozenset({"body", "content"})
KNOWN_FIELDS = TEXT_FIELDS | frozenset(
    {"title", "authors", "author", "path", "slug", "draft", "published", "date", "published_at"}
)
