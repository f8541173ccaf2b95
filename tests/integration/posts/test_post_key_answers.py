"""What a key may not read of posts, it doesn't get back from a write."""

import httpx2
import pytest

from app.core.identity import Scope
from tests.resources.posts import POSTS
from tests.support.world import World

NOTES = {"title": "Notes", "body": "…"}


@pytest.mark.parametrize("change", [{}, {"title": "Better notes"}])
@pytest.mark.parametrize("of", ["post_id", "draft_id"])
async def test_a_key_that_writes_posts_reads_none_by_changing_one(
    world: World, visitor: httpx2.AsyncClient, of: str, change: dict[str, str]
) -> None:
    path = f"{POSTS}/{world.ids[of]}"
    writer = await world.callers.with_key(world.owner, Scope.POSTS_WRITE)
    reader = await world.callers.with_key(world.owner, Scope.POSTS_WRITE, Scope.POSTS_READ)

    answers = [await visitor.patch(path, json=change, headers=headers) for headers in (writer, reader)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"id": world.ids[of]}
    assert answers[1].json()["body"] == "Some *text*."


async def test_nor_by_writing_one(world: World, visitor: httpx2.AsyncClient) -> None:
    writer = await world.callers.with_key(world.owner, Scope.POSTS_WRITE)

    written = await visitor.post(POSTS, json=NOTES, headers=writer)

    assert (written.status_code, written.json().keys()) == (201, {"id"})
