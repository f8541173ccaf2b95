"""Changes of posts are counted."""

import httpx2
from prometheus_client.registry import REGISTRY

from app.db.models.user import User
from tests.resources.posts import POSTS, written_by


def counted(change: str) -> float:
    return REGISTRY.get_sample_value("posts_total", {"change": change}) or 0


async def test_each_change_is_counted_by_its_kind(client: httpx2.AsyncClient, author: User) -> None:
    before = {change: counted(change) for change in ("created", "updated", "deleted")}

    made = (await client.post(POSTS, json=written_by(author))).json()
    await client.patch(f"{POSTS}/{made['id']}", json={"title": "Changed"})
    await client.delete(f"{POSTS}/{made['id']}")

    assert {change: counted(change) - value for change, value in before.items()} == dict.fromkeys(before, 1)
