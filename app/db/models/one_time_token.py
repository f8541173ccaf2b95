"""Tokens of links in mails, by hash: each is valid for one purpose, once, until it expires."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import PRIVATE, Base
from app.db.models.user import EMAIL_LENGTH

type Purpose = Literal["verify_email", "set_password"]


class OneTimeToken(Base):
    __tablename__ = "one_time_tokens"
    __audited__ = False  # its use is recorded

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(20))
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH), info=PRIVATE)
    expires_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("purpose IN ('verify_email', 'set_password')", name="purpose"),
        Index("ix_one_time_tokens_user_id", "user_id"),
    )
