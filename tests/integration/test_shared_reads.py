"""What shared reads answer, beside what plain queries of the ORM answer, while rows change."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from app.db.models.user import User
from app.db.session import Database
from app.repos.users import UserReadRepo
from app.schemas.pages import START
from tests.support.application import make_settings
from tests.support.users import new_user

USERS, STEPS, READERS = 5, 12, 15


class Rows:
    """Users whose name is the number of their changes; whoever reads one must find the last that was committed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = UserReadRepo(database.reader)
        self.committed: Counter[UUID] = Counter()

    async def create(self) -> None:
        async with self.database.transaction() as session:
            users = [new_user(email=f"{number}@example.com", name="0") for number in range(USERS)]
            session.add_all(users)
        self.committed.update({user.id: 0 for user in users})

    async def change(self, user_id: UUID) -> None:
        number = self.committed[user_id] + 1
        async with self.database.transaction() as session:
            user = await session.get_one(User, user_id)
            user.name = str(number)
        self.committed[user_id] = number
        row = await self.reads.get(user_id)
        assert row
        assert row.name == str(number), "whoever writes reads what they wrote"

    async def read(self, user_id: UUID) -> None:
        known = self.committed[user_id]
        row = await self.reads.get(user_id)
        assert row
        assert int(row.name or "") >= known

    async def list(self) -> None:
        known = self.committed.copy()
        page = await self.reads.page(after=START, limit=USERS)
        assert all(int(row.name or "") >= known[row.id] for row in page)
        assert len(page) == USERS

    async def plainly(self) -> dict[UUID, str | None]:
        async with self.database.session_maker() as session:
            return {user.id: user.name for user in await session.scalars(select(User))}


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_reads_what_is_older_than_their_question(live_url: URL, seed: int) -> None:
    database = Database(live_url, make_settings(live_url))
    rows = Rows(database)
    await rows.create()
    users = sorted(rows.committed)

    async def repeat(random: Random, *steps: Callable[[UUID], Awaitable[None]], among: list[UUID]) -> None:
        for _ in range(STEPS):
            await random.choice(steps)(random.choice(among))
            for _ in range(random.randrange(5)):
                await asyncio.sleep(0)

    readers = [repeat(Random(f"{seed} {n}"), rows.read, lambda _: rows.list(), among=users) for n in range(READERS)]
    writers = [repeat(Random(f"{seed} {user}"), rows.change, among=[user]) for user in users]
    await asyncio.gather(*readers, *writers)

    shared = {user: row.name for user in users if (row := await rows.reads.get(user))}
    assert shared == await rows.plainly() == {user: str(STEPS) for user in users}
    await database.close()
