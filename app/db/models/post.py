"""Posts: drafts until they have a date of publication."""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import PRIVATE, Base, IdMixin, TimestampMixin

if TYPE_CHECKING:
    from app.db.models.co_authorship import CoAuthorship
    from app.db.models.user import User

TITLE_LENGTH = 200
SLUG_LENGTH = 300
BODY_LENGTH = 1_000_000


class Post(IdMixin, TimestampMixin, Base):
    __tablename__ = "posts"
    __audited_lists__: ClassVar[dict[str, str]] = {"co_authorships": "user_id"}

    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    slug: Mapped[str | None] = mapped_column(String(SLUG_LENGTH))
    body: Mapped[str] = mapped_column(Text, info=PRIVATE)
    published_at: Mapped[datetime | None] = mapped_column()

    author: Mapped["User"] = relationship(back_populates="posts", lazy="raise")
    co_authorships: Mapped[list["CoAuthorship"]] = relationship(
        back_populates="post",
        cascade="all, delete-orphan",
        passive_deletes=True,
        lazy="raise",
        order_by="CoAuthorship.position",
    )

    @property
    def co_authors(self) -> list["User"]:
        return [co_authorship.user for co_authorship in self.co_authorships]

    __table_args__ = (
        CheckConstraint(f"char_length(body) <= {BODY_LENGTH}", name="body_length"),
        # A draft is its author's secret, so its slug gets in nobody else's way until it is published.
        Index("uq_posts_published_slug", "slug", unique=True, postgresql_where=published_at.is_not(None)),
        Index("uq_posts_slug_author_id", "slug", "author_id", unique=True),
        # Who has published anything: one entry is read for each author, whatever the number of their posts.
        Index("ix_posts_published_author_id", "author_id", postgresql_where=published_at.is_not(None)),
        # One index a list: published posts and drafts, of all and of one author. The third serves the foreign key too.
        Index("ix_posts_published", "published_at", "id", postgresql_where=published_at.is_not(None)),
        Index("ix_posts_drafts", "created_at", "id", postgresql_where=published_at.is_(None)),
        Index("ix_posts_author_published", "author_id", "published_at", "id"),
        Index("ix_posts_author_drafts", "author_id", "created_at", "id", postgresql_where=published_at.is_(None)),
    )
