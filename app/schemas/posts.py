"""Posts on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from app.schemas.base import Entity, Input, Line, Text, pattern, unsent
from app.schemas.pages import PageQuery
from app.schemas.users import AuthorRead

Title = Annotated[Line, Field(max_length=200, examples=["Notes on the Analytical Engine"])]
Body = Annotated[
    Text, Field(max_length=1_000_000, description="Markdown.", examples=["It weaves *algebraic patterns*."])
]
_SEGMENT = r"(\.{0,2}[\w~@+-]|\.{3})[\w.~@+-]*"  # not `.` or `..`: every client would resolve those
SLUG = pattern(
    rf"^{_SEGMENT}(/{_SEGMENT})*$",
    "A path has letters, digits and . _ ~ @ + - between single slashes, and no part that is . or ..",
)
Slug = Annotated[
    str,
    StringConstraints(pattern=SLUG, max_length=300),
    Field(
        description="The post's own path, unique among published posts and among those of its author.",
        examples=["1843/10/notes"],
    ),
]


class PostCreate(Input):
    title: Title
    body: Body
    slug: Slug | None = None
    author_id: UUID | None = Field(default=None, description="Yourself when left out; administrators may name others.")
    draft: StrictBool = Field(default=False, description="A draft isn't published until this is set to false.")


class PostUpdate(Input):
    """Only the fields that are sent change."""

    title: Title = Field(default_factory=unsent)
    body: Body = Field(default_factory=unsent)
    slug: Slug | None = None
    draft: StrictBool = Field(
        default_factory=unsent,
        description="`true` withdraws the post. `false` publishes a draft as of now, even one that was "
        "published before; a published post keeps its date.",
    )


class PostQuery(PageQuery):
    status: Literal["published", "draft"] = Field(default="published", description="Drafts: your own.")
    author_id: UUID | None = None


class PostSummary(Entity):
    """A post in a list: everything but its body."""

    title: str
    slug: str | None
    author: AuthorRead
    co_authors: list[AuthorRead]
    published_at: datetime | None = Field(description="Null for a draft.")
    created_at: datetime
    updated_at: datetime


class PostRead(PostSummary):
    body: str
