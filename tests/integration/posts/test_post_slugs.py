"""Whose posts a slug is compared with: a draft stays its author's secret."""

import asyncio
from collections import Counter

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models.user import User
from tests.resources.posts import POSTS, draft, new_post, written_by
from tests.support.answers import assert_problem
from tests.support.application import client_of, running
from tests.support.callers import Callers, Save
from tests.support.users import new_user

SECRET = "a-merger"


@pytest.fixture
async def stranger(app: FastAPI, callers: Callers, save: Save, visitor: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Somebody who signed in, while somebody else has a draft with the slug SECRET."""
    await save(draft(slug=SECRET))
    visitor.headers |= await callers.signed_in(new_user())
    return visitor


@pytest.mark.parametrize("is_draft", [True, False])
async def test_a_new_post_meets_no_draft_of_somebody_else(stranger: httpx2.AsyncClient, *, is_draft: bool) -> None:
    new = {"title": "Notes", "body": "", "slug": SECRET, "draft": is_draft}

    response = await stranger.post(POSTS, json=new)

    assert (response.status_code, response.json()["slug"]) == (201, SECRET)


@pytest.mark.parametrize("is_draft", [True, False])
async def test_a_changed_post_meets_no_draft_of_somebody_else(stranger: httpx2.AsyncClient, *, is_draft: bool) -> None:
    post = (await stranger.post(POSTS, json={"title": "Notes", "body": "", "draft": is_draft})).json()

    response = await stranger.patch(f"{POSTS}/{post['id']}", json={"slug": SECRET})

    assert (response.status_code, response.json()["slug"]) == (200, SECRET)


async def test_a_draft_may_have_the_slug_of_a_published_post_and_then_isnt_published(
    client: httpx2.AsyncClient, save: Save, author: User
) -> None:
    published = new_post()
    await save(published)
    created = await client.post(POSTS, json=written_by(author, slug=published.slug, draft=True))
    path = f"{POSTS}/{created.json()['id']}"

    refused = await client.patch(path, json={"draft": False, "title": "Changed"})

    assert created.status_code == 201
    assert_problem(refused, 409, "slug_taken")
    unchanged = (await client.get(path)).json()
    assert (unchanged["published_at"], unchanged["title"]) == (None, "Notes")
    assert (await client.patch(path, json={"draft": False, "slug": "another"})).status_code == 200


@pytest.mark.parametrize("is_draft", [True, False])
async def test_among_the_posts_of_one_author_a_slug_is_unique(
    client: httpx2.AsyncClient, save: Save, *, is_draft: bool
) -> None:
    known = draft()
    await save(known)

    response = await client.post(POSTS, json=written_by(known.author, slug=known.slug, draft=is_draft))

    assert_problem(response, 409, "slug_taken")


async def test_a_withdrawn_post_leaves_its_slug_to_others(client: httpx2.AsyncClient, save: Save, author: User) -> None:
    post = new_post()
    await save(post)

    await client.patch(f"{POSTS}/{post.id}", json={"draft": True})
    taken = await client.post(POSTS, json=written_by(author, slug=post.slug))
    again = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert taken.status_code == 201
    assert_problem(again, 409, "slug_taken")


async def test_of_many_drafts_with_one_slug_that_are_published_at_once_one_is(live_url: URL) -> None:
    patience = {"db_statement_timeout": 300, "db_lock_timeout": 300, "db_idle_in_transaction_timeout": 300}
    async with running(live_url, **patience) as app, client_of(app) as client:
        drafts = []
        for number in range(8):
            author = await client.post("/api/v1/users", json={"email": f"{number}@example.com"})
            new = {"title": "Notes", "body": "", "slug": SECRET, "author_id": author.json()["id"], "draft": True}
            drafts.append((await client.post(POSTS, json=new)).json()["id"])
        publish = [client.patch(f"{POSTS}/{post_id}", json={"draft": False}) for post_id in drafts]
        responses = await asyncio.gather(*publish)

    answers = Counter((response.status_code, response.json().get("code")) for response in responses)
    assert answers == {(200, None): 1, (409, "slug_taken"): 7}


async def test_before_the_contract_revision_ran_any_posts_slug_is_a_conflict(
    client: httpx2.AsyncClient, connection: AsyncConnection, save: Save, author: User
) -> None:
    await connection.execute(text("ALTER TABLE posts ADD CONSTRAINT uq_posts_slug UNIQUE (slug)"))
    await save(draft(slug=SECRET))

    response = await client.post(POSTS, json=written_by(author, slug=SECRET))

    assert_problem(response, 409, "slug_taken")
