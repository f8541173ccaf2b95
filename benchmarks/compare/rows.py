"""The rows that every contender reads: the same ones in each run, for they follow from their numbers alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from uuid import UUID

FORMAT = 1
"""Raise it when rows change, so that databases of older ones aren't reused."""

ACCOUNTS = 16
"""How many of the first users can sign in."""
PASSWORD = "a quiet green harbour"  # noqa: S105 - of accounts in a database that only benchmarks use

START = datetime(2025, 1, 1, tzinfo=UTC)
TEXT = "It weaves algebraic patterns just as the loom weaves flowers and leaves. " * 20
SHORTEST, LONGEST = 300, 1400  # characters of a post's body
SKEW = 1.0
"""Zipf's exponent: the most popular row is asked for a thousand times as often as the 1000th."""


@dataclass(frozen=True)
class Size:
    users: int
    posts: int

    def __str__(self) -> str:
        return f"{self.users:,} users and {self.posts:,} posts"


def uuid_of(kind: str, number: int) -> UUID:
    """A UUIDv7 whose time grows with the number."""
    moment = int(START.timestamp() * 1000) + number
    noise = int.from_bytes(blake2b(f"{kind}{number}".encode(), digest_size=10).digest())
    value = (moment << 80) | noise
    value = value & ~(0xF << 76) | (0x7 << 76)
    return UUID(int=value & ~(0x3 << 62) | (0x2 << 62))


def user_lines(size: Size, password_hash: str) -> Iterator[str]:
    """Lines for COPY users (id, email, name, password_hash, email_verified_at, created_at, updated_at)."""
    for number in range(size.users):
        at = START.isoformat()
        secret = password_hash if number < ACCOUNTS else r"\N"
        yield f"{uuid_of('user', number)}\tuser{number}@example.com\tUser {number}\t{secret}\t{at}\t{at}\t{at}\n"


def post_lines(size: Size) -> Iterator[str]:
    """Lines for COPY posts (id, author_id, title, slug, body, published_at, created_at, updated_at)."""
    for number in range(size.posts):
        author = uuid_of("user", number * 7919 % size.users)
        at = (START + timedelta(seconds=number)).isoformat()
        body = TEXT[: SHORTEST + number * 31 % (LONGEST - SHORTEST)]
        yield f"{uuid_of('post', number)}\t{author}\tNotes, part {number}\tnotes/{number}\t{body}\t{at}\t{at}\t{at}\n"


@cache
def popular(kind: str, rows: int, count: int) -> tuple[UUID, ...]:
    """Ids of `count` reads, drawn by Zipf's law; popularity has nothing to do with age."""
    chance = random.Random(f"{kind} {rows}")  # noqa: S311 - a sequence that is the same each time, not a secret
    weights = list(accumulate(1 / rank**SKEW for rank in range(1, rows + 1)))
    numbers = list(range(rows))
    chance.shuffle(numbers)
    return tuple(uuid_of(kind, number) for number in chance.choices(numbers, cum_weights=weights, k=count))
