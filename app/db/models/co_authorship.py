"""Who else wrote a post, in the order of its byline; the first author is the post's own."""

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import Base

if TYPE_CHECKING:
    from app.db.models.post import Post
    from app.db.models.user import User


class CoAuthorship(Base):
    __tablename__ = "co_authorships"
    __part_of__ = "post"

    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger)

    post: Mapped["Post"] = relationship(back_populates="co_authorships", lazy="raise")
    user: Mapped["User"] = relationship(lazy="raise")

    __table_args__ = (Index("ix_co_authorships_user_id", "user_id"),)
