"""The crossings of a release: each version of the code on a schema, and on rows, that are the other's."""

from collections.abc import Awaitable, Callable, Iterator, Sequence

from safestep.rehearsal.client import Answer
from safestep.rehearsal.load import Sample, attempt
from safestep.rehearsal.mix import API, Kind, Requests, getting
from safestep.rehearsal.report import Direction

TIMES = 5
REFUSED = ("401", "403")


async def tried(what: str, requests: Requests, kinds: Sequence[Kind], times: int = TIMES) -> Direction:
    """Each kind of request a few times, one after the other."""
    return _direction(what, [await attempt(kind, requests) for kind in kinds for _ in range(times)])


async def _is_refused(kind: Kind, requests: Requests) -> bool:
    """Some routes are for people who signed in; the rehearsal has no more than a key."""
    fault = (await attempt(kind, requests)).fault
    return fault is not None and fault.startswith(REFUSED)


async def crossed(new: str, theirs: Requests, old: str, ours: Requests, kinds: Sequence[Kind]) -> list[Direction]:
    """The new code writes on the new schema; then the old code reads and changes those rows, and writes its own."""
    permitted = [kind for kind in theirs.kinds() if not await _is_refused(kind, theirs)]
    written = await tried(f"{new} on the new schema", theirs, permitted)
    on_theirs = list(_on_rows_of(theirs, {kind.name for kind in kinds}))
    samples = [await attempt(kind, ours) for kind in [*kinds, *on_theirs] for _ in range(TIMES)]
    return [written, _direction(f"{old} on the new schema, with rows that {new} wrote", samples)]


def _on_rows_of(other: Requests, known: set[str]) -> Iterator[Kind]:
    for path in [*(f"{API}/posts/{post}" for post in other.made_posts), *_authors(other)]:
        yield Kind(f"read {path}", 1, "", getting(path))
    if "change a post" in known:
        for post in other.made_posts:
            yield Kind(f"change {post}", 1, "", _changing(post))


def _authors(other: Requests) -> Iterator[str]:
    for author in other.made_authors:
        yield from (f"{API}/users/{author}", f"{API}/posts?author_id={author}")


def _changing(post: str) -> Callable[[Requests], Awaitable[Answer]]:
    return lambda requests: requests.change_post(post)


def _direction(what: str, samples: Sequence[Sample]) -> Direction:
    return Direction(what, len(samples), [f"{sample.kind}: {sample.fault}" for sample in samples if sample.fault])
