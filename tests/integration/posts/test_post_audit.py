"""What the audit log says of posts."""

from uuid import UUID

import httpx2
import pytest
from sqlalchemy.engine import URL
from uuid_utils.compat import uuid7

from app.db.audit_triggers import audited
from app.db.base import PRIVATE
from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from tests.resources.posts import POSTS, new_post
from tests.support.accounts import USERS
from tests.support.callers import Save
from tests.support.database import ask, audit_log_of
from tests.support.rows import EventsOf
from tests.support.users import new_user
from tests.support.world import World


async def test_a_new_post_is_told_with_its_fields_but_not_its_text(
    world: World, visitor: httpx2.AsyncClient, events_of: EventsOf
) -> None:
    headers = await world.headers_of("owner")

    response = await visitor.post(POSTS, json={"title": "Notes", "body": "canary", "draft": True}, headers=headers)

    (told,) = await events_of(response)
    assert told.entity_id == UUID(response.json()["id"])
    assert told.changes["author_id"] == [None, str(world.owner.id)]
    assert told.changes["title"] == [None, "Notes"]
    assert told.changes["body"] == [None, "***"]


async def test_the_posts_that_go_with_a_user_are_on_record(
    world: World, visitor: httpx2.AsyncClient, events_of: EventsOf
) -> None:
    more: list[Post] = [new_post(author=world.owner) for _ in range(3)]
    kept = new_post(author=world.other)
    await world.save(*more, kept)

    response = await visitor.delete(f"{USERS}/{world.owner.id}", headers=await world.headers_of("admin"))

    told = [(row.action, row.entity_id) for row in await events_of(response)]
    assert told[0] == ("user.deleted", world.owner.id)
    assert sorted(row for row in told if row[0] == "post.deleted") == sorted(
        [
            *(("post.deleted", UUID(world.ids[each])) for each in ("post_id", "draft_id")),
            *(("post.deleted", post.id) for post in more),
        ]
    )
    assert (await visitor.get(f"{POSTS}/{kept.id}")).status_code == 200


async def test_posts_that_lose_a_co_author_are_on_record(
    world: World, visitor: httpx2.AsyncClient, save: Save, events_of: EventsOf
) -> None:
    third: User = new_user()
    byline = [CoAuthorship(user=world.owner, position=1), CoAuthorship(user=third, position=2)]
    post: Post = new_post(author=world.other, co_authorships=byline)
    await save(post)

    response = await visitor.delete(f"{USERS}/{world.owner.id}", headers=await world.headers_of("owner"))

    (told,) = (row for row in await events_of(response) if row.action == "post.updated")
    assert told.entity_id == post.id
    assert told.changes == {"co_authorships": [{"user_id": str(world.owner.id), "position": 1}, None]}
    shown = (await visitor.get(f"{POSTS}/{post.id}")).json()["co_authors"]
    assert shown == [{"id": str(third.id), "name": third.name}]


def test_a_byline_that_cascade_deletes_is_told_as_changes_of_its_post(url: URL) -> None:
    ada, grace, post = uuid7(), uuid7(), uuid7()
    ask(url, "INSERT INTO users (id, name) VALUES (%s, 'Ada'), (%s, 'Grace')", ada, grace)
    ask(url, "INSERT INTO posts (id, author_id, title, body) VALUES (%s, %s, '', '')", post, ada)
    ask(url, "INSERT INTO co_authorships (post_id, user_id, position) VALUES (%s, %s, 1)", post, grace)
    known = len(audit_log_of(url))

    ask(url, "DELETE FROM posts")

    gone = {"co_authorships": [{"user_id": str(grace), "position": 1}, None]}
    assert audit_log_of(url)[known:] == [
        ("database_role", "post.deleted", str(post), {}),
        ("database_role", "post.updated", str(post), gone),
    ]


def test_a_byline_cannot_have_private_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CoAuthorship.__table__.c.position, "info", PRIVATE)

    with pytest.raises(TypeError, match="no column can be private"):
        audited()
