"""How often something was tried in the current window of a rate limit."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class RateWindow(Base):
    __tablename__ = "rate_windows"
    __audited__ = False

    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    count: Mapped[int]
    ends_at: Mapped[datetime]

    __table_args__ = (Index("ix_rate_windows_ends_at", "ends_at"),)
