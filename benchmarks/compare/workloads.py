"""What is asked: the requests of each workload as bytes, in the same order for every contender."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from uuid import UUID

from benchmarks.compare import rows
from benchmarks.compare.rows import Size

READS, CREATES = 20_000, 2_000
LISTED = 20
"""Posts of a list."""
CREATED = {"title": "A measured post", "body": rows.TEXT[:800], "draft": True}
"""A draft, so that lists show the same posts to the end of the run."""


@dataclass(frozen=True)
class Target:
    """Where requests go, and as whom."""

    port: int
    prefix: str
    tokens: Sequence[str] = ()
    """Of the first accounts, one each; empty where nobody signs in."""

    def message(self, method: str, path: str, *, account: int | None = None, body: object = None) -> bytes:
        """One request; with an account it is signed in where that is possible."""
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Accept: application/json"]
        if account is not None and self.tokens:
            lines.append(f"Authorization: Bearer {self.tokens[account]}")
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "", ""]).encode() + content


type Requests = Callable[[Target, Size], Iterator[bytes]]


def _users(target: Target, size: Size) -> Iterator[bytes]:
    for user_id in rows.popular("user", size.users, READS):
        yield target.message("GET", f"/users/{user_id}")


def _posts(target: Target, size: Size) -> Iterator[bytes]:
    for post_id in rows.popular("post", size.posts, READS):
        yield target.message("GET", f"/posts/{post_id}")


def _posts_signed_in(target: Target, size: Size) -> Iterator[bytes]:
    for number, post_id in enumerate(rows.popular("post", size.posts, READS)):
        yield target.message("GET", f"/posts/{post_id}", account=number % rows.ACCOUNTS)


def _lists(target: Target, _size: Size) -> Iterator[bytes]:
    yield target.message("GET", f"/posts?limit={LISTED}")


def _creations(target: Target, _size: Size) -> Iterator[bytes]:
    for number in range(CREATES):
        account = number % rows.ACCOUNTS
        body = {**CREATED, "author_id": str(rows.uuid_of("user", account))}
        yield target.message("POST", "/posts", account=account, body=body)


def _mix(target: Target, size: Size) -> Iterator[bytes]:
    """Nine reads and a new post."""
    creations = cycle(_creations(target, size))
    for number, read in enumerate(_posts(target, size), start=1):
        yield next(creations) if number % 10 == 0 else read


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    make: Requests
    of_driver: bool = True
    of_baselines: bool = True

    def requests(self, target: Target, size: Size) -> tuple[bytes, ...]:
        return tuple(self.make(target, size))


WORKLOADS = {
    each.name: each
    for each in (
        Workload("user", "read one user by id", _users),
        Workload("post", "read one post by id", _posts),
        Workload("signed", "the same with an access token", _posts_signed_in, of_driver=False, of_baselines=False),
        Workload("list", f"list {LISTED} posts with their authors", _lists),
        Workload("create", "create a draft", _creations),
        Workload("mix", "nine reads of a post, then a new one", _mix, of_driver=False),
    )
}


def ids_of(workload: Workload, size: Size) -> Sequence[UUID]:
    """What the driver asks for, which builds its queries itself."""
    if workload.name == "create":
        return [rows.uuid_of("user", number) for number in range(rows.ACCOUNTS)]
    return rows.popular(workload.name, size.posts if workload.name == "post" else size.users, READS)


def sample(prefix: str, size: Size, count: int) -> list[str]:
    """Paths whose answers every contender must agree on."""
    users = islice(rows.popular("user", size.users, count), count)
    posts = islice(rows.popular("post", size.posts, count), count)
    paths = [f"/users/{each}" for each in users] + [f"/posts/{each}" for each in posts]
    return [prefix + path for path in [*paths, f"/posts?limit={LISTED}"]]
