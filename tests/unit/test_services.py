"""Decisions of the services, on repos that are plain dictionaries."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Never
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.errors import Forbidden, PostNotFound, UserNotFound
from app.core.identity import Caller, ClientInfo
from app.db.base import set_columns
from app.db.models.post import Post
from app.db.models.user import User
from app.repos.accounts import AccountRepos
from app.repos.imported_posts import ImportedPostRepo
from app.repos.posts import PostRepo, PostRow
from app.repos.users import UserRepo
from app.schemas.posts import PostCreate, PostUpdate
from app.schemas.users import UserUpdate
from app.services.posts import PostService
from app.services.users import UserService

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
ADMIN = Caller(user_id=uuid4(), is_admin=True)


class FakePosts(PostRepo):
    """The repo on a dictionary: posts by id, and how often one was written."""

    def __init__(self, *posts: Post) -> None:
        self.rows = {post.id: post for post in posts}
        self.written: list[Post] = []

    async def get_for_update(self, post_id: UUID) -> Post | None:
        return self.rows.get(post_id)

    async def create(self, **values: Any) -> PostRow:
        return self._store(post(**values))

    async def update(self, post_id: UUID, values: Mapping[str, Any]) -> PostRow:
        known = self.rows[post_id]
        set_columns(known, values)
        return self._store(known)

    async def delete(self, post_id: UUID) -> None:
        del self.rows[post_id]

    def _store(self, post: Post) -> PostRow:
        self.rows[post.id] = stored(post)
        self.written.append(post)
        row: Any = post  # it has the row's columns
        return row


class FakeUsers(UserRepo):
    """The repo on a dictionary."""

    def __init__(self, *users: User) -> None:
        self.rows = {user.id: user for user in users}

    async def get(self, user_id: UUID) -> User | None:
        return self.rows.get(user_id)

    async def get_for_update(self, user_id: UUID) -> User | None:
        return self.rows.get(user_id)

    async def _save(self, user: User) -> User:
        self.rows[user.id] = stored(user)
        return user


def stored[Row: (Post, User)](row: Row) -> Row:
    """With the values that the database makes."""
    row.id = row.id or uuid4()
    row.created_at = row.created_at or CREATED
    row.updated_at = CREATED
    return row


class Untouched:
    """What a decision has no business with: any use of it fails the test."""

    def __getattr__(self, name: str) -> Never:
        raise AssertionError(f"{name} was used")


def author() -> User:
    return User(id=uuid4(), name="Ada", email="ada@example.com", is_active=True, created_at=CREATED)


def post(**values: Any) -> Post:
    given = {"title": "Notes", "body": "", "slug": "notes", "published_at": None} | values
    writer = author()
    return Post(id=uuid4(), author=writer, created_at=CREATED, co_authorships=[], **{"author_id": writer.id} | given)


def service_of(*posts: Post) -> tuple[PostService, FakePosts]:
    repo = FakePosts(*posts)
    return PostService(repo), repo


def users_of(*users: User) -> UserService:
    """The service without what only registration, addresses and deactivation need."""
    untouched: Any = Untouched()
    needed = ("reads", "passwords", "limits", "links", "reauthentication", "settings")
    accounts = AccountRepos(FakeUsers(*users), untouched, untouched, untouched)
    return UserService(accounts=accounts, **dict.fromkeys(needed, untouched))


@pytest.mark.parametrize("draft", [True, False])
async def test_a_new_post_is_published_now_unless_it_is_a_draft(draft: bool) -> None:
    service, repo = service_of()
    before = datetime.now(UTC)

    made = await service.create_post(PostCreate(title="Notes", body="", draft=draft), ADMIN)

    (written,) = repo.written
    assert written.author_id == ADMIN.user_id
    if draft:
        assert made.published_at is None
    else:
        assert made.published_at is not None
        assert before <= made.published_at <= datetime.now(UTC)


async def test_nobody_writes_in_the_name_of_others_but_an_administrator() -> None:
    service, repo = service_of()
    new = PostCreate(author_id=uuid4(), title="Notes", body="")

    with pytest.raises(Forbidden):
        await service.create_post(new, Caller(user_id=uuid4()))
    assert repo.written == []

    await service.create_post(new, ADMIN)
    assert [post.author_id for post in repo.written] == [new.author_id]


@pytest.mark.parametrize(
    ("published_at", "change", "outcome"),
    [
        (None, {}, "still a draft"),
        (None, {"draft": True}, "still a draft"),
        (None, {"draft": False}, "published now"),
        (CREATED, {}, "published before"),
        (CREATED, {"draft": False}, "published before"),
        (CREATED, {"draft": True}, "still a draft"),
        (CREATED, {"title": "Changed"}, "published before"),
    ],
)
async def test_a_change_publishes_or_withdraws_only_when_it_says_so(
    published_at: datetime | None, change: dict[str, Any], outcome: str
) -> None:
    known = post(published_at=published_at)
    service, _ = service_of(known)

    changed = await service.update_post(known.id, PostUpdate(**change), ADMIN)

    seen = {None: "still a draft", CREATED: "published before"}.get(changed.published_at, "published now")
    assert seen == outcome


async def test_somebody_elses_post_is_forbidden_and_their_draft_is_not_there() -> None:
    published, draft = post(published_at=CREATED), post()
    service, repo = service_of(published, draft)
    stranger = Caller(user_id=uuid4())

    with pytest.raises(Forbidden):
        await service.update_post(published.id, PostUpdate(title="Mine"), stranger)
    with pytest.raises(PostNotFound):
        await service.delete_post(draft.id, stranger)

    assert repo.written == []
    assert set(repo.rows) == {published.id, draft.id}


async def test_a_change_keeps_what_it_does_not_name() -> None:
    known = post(body="Text.")
    service, repo = service_of(known)

    changed = await service.update_post(known.id, PostUpdate(title="Changed", slug=None), ADMIN)

    assert (changed.title, changed.slug, changed.body) == ("Changed", None, "Text.")
    assert repo.written == [known]


async def test_what_is_not_there_is_neither_changed_nor_deleted() -> None:
    posts, repo = service_of()
    users = users_of()

    with pytest.raises(PostNotFound):
        await posts.update_post(uuid4(), PostUpdate(title="Changed"), ADMIN)
    with pytest.raises(PostNotFound):
        await posts.delete_post(uuid4(), ADMIN)
    with pytest.raises(UserNotFound):
        await users.update_user(uuid4(), UserUpdate(name="Ada"), ADMIN, ClientInfo("127.0.0.1"))

    assert repo.written == []


async def test_a_value_that_no_column_takes_is_an_error() -> None:
    """SQLAlchemy would set it as an attribute that is never written."""
    repo = ImportedPostRepo(AsyncSession())

    with pytest.raises(AttributeError, match="Post has no column subtitle"):
        await repo.update(post(), {"subtitle": "Lost"})
    with pytest.raises(TypeError, match="subtitle"):
        await repo.create(author=author(), title="Notes", subtitle="Lost")
    with pytest.raises(KeyError, match="subtitle"):
        await PostRepo(AsyncSession()).update(uuid4(), {"subtitle": "Lost"})
    with pytest.raises(KeyError, match="subtitle"):
        await PostRepo(AsyncSession()).create(author_id=uuid4(), title="Notes", subtitle="Lost")
