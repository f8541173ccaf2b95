"""Counts attempts in PostgreSQL with one statement, which stays correct under concurrency."""

from datetime import timedelta

from sqlalchemy import Interval, bindparam, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models.rate_window import RateWindow

_OVER = RateWindow.ends_at <= func.clock_timestamp()
_FRESH = insert(RateWindow).values(
    key=bindparam("key"), count=1, ends_at=func.clock_timestamp() + bindparam("window", type_=Interval())
)
_HIT = _FRESH.on_conflict_do_update(
    index_elements=[RateWindow.key],
    set_={
        "count": case((_OVER, 1), else_=RateWindow.count + 1),
        "ends_at": case((_OVER, _FRESH.excluded.ends_at), else_=RateWindow.ends_at),
    },
).returning(RateWindow.count, func.ceil(func.extract("epoch", RateWindow.ends_at - func.clock_timestamp())))

_COUNT = select(RateWindow.count).where(RateWindow.key == bindparam("key"), RateWindow.ends_at > func.clock_timestamp())


class RateWindowRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def hit(self, key: str, window: timedelta) -> tuple[int, int]:
        """Counts one attempt; how many there are in the window now, and the seconds until it ends."""
        count, reset = (await self._session.execute(_HIT, {"key": key, "window": window})).one()
        return count, max(1, int(reset))

    async def count(self, key: str) -> int:
        """How many attempts the current window has."""
        return await self._session.scalar(_COUNT, {"key": key}) or 0

    async def delete_ended(self, limit: int) -> None:
        """Deletes some ended windows, so that the table stays small."""
        ended = select(RateWindow.key).where(_OVER).limit(limit).with_for_update(skip_locked=True)
        await self._session.execute(delete(RateWindow).where(RateWindow.key.in_(ended.scalar_subquery())))
