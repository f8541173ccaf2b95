"""What of posts is shown to whom."""

import httpx2

from tests.resources.posts import POSTS, new_post
from tests.support.accounts import USERS
from tests.support.callers import Save
from tests.support.world import World


async def test_drafts_of_others_are_in_no_list(world: World, visitor: httpx2.AsyncClient) -> None:

    async def drafts_seen_by(caller: str) -> list[str]:
        headers = await world.headers_of(caller)
        published = (await visitor.get(POSTS, headers=headers)).json()["items"]
        assert world.ids["draft_id"] not in [post["id"] for post in published]
        page = (await visitor.get(POSTS, params={"status": "draft"}, headers=headers)).json()
        return [post["id"] for post in page["items"]]

    assert await drafts_seen_by("owner") == await drafts_seen_by("admin") == [world.ids["draft_id"]]
    assert await drafts_seen_by("other") == await drafts_seen_by("a-key") == []


async def test_authors_are_shown_by_id_and_name_alone_even_to_administrators(
    world: World, visitor: httpx2.AsyncClient
) -> None:
    headers = await world.headers_of("admin")

    post = (await visitor.get(f"{POSTS}/{world.ids['post_id']}", headers=headers)).json()
    listed = (await visitor.get(POSTS, headers=headers)).json()["items"][0]

    assert post["author"] == listed["author"] == {"id": str(world.owner.id), "name": world.owner.name}


async def test_deleting_a_user_deletes_their_posts(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post()
    await save(post)

    response = await client.delete(f"{USERS}/{post.author.id}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(f"{USERS}/{post.author.id}")).status_code == 404
    assert (await client.get(f"{POSTS}/{post.id}")).status_code == 404
