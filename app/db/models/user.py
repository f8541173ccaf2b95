"""People: those with an account, and authors of imported posts who have only a name."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Index, String, Text, false, func, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import PRIVATE, Base, IdMixin, TimestampMixin

if TYPE_CHECKING:
    from app.db.models.post import Post

NAME_LENGTH = 200
EMAIL_LENGTH = 320


class User(IdMixin, TimestampMixin, Base):
    __tablename__ = "users"

    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH), info=PRIVATE)
    name: Mapped[str | None] = mapped_column(String(NAME_LENGTH), info=PRIVATE)
    is_active: Mapped[bool] = mapped_column(server_default=true())
    is_admin: Mapped[bool] = mapped_column(server_default=false())
    password_hash: Mapped[str | None] = mapped_column(Text, info=PRIVATE)
    email_verified_at: Mapped[datetime | None]

    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True, lazy="raise"
    )

    __table_args__ = (
        CheckConstraint("email IS NOT NULL OR name IS NOT NULL", name="email_or_name"),
        Index("uq_users_email_lower", func.lower(email), unique=True),
        # An author without an e-mail address has nothing but a name to be recognised by.
        Index("uq_users_name_without_email", "name", unique=True, postgresql_where=email.is_(None)),
        Index("ix_users_created_at_id", "created_at", "id"),
    )
