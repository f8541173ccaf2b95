"""Bringing posts in from elsewhere: each is created, updated, left alone, or skipped with a reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

from app.core.errors import DomainError
from app.db.models.post import Post
from app.db.models.user import User
from app.importing.sources import Source
from app.repos.imported_posts import ImportedPostRepo
from app.repos.users import UserRepo
from app.schemas.imports import ImportedAuthor, ImportedPost

type Action = Literal["created", "updated", "unchanged", "skipped"]
type Transaction = Callable[[], AbstractAsyncContextManager[tuple[ImportedPostRepo, UserRepo]]]


@dataclass
class ImportReport:
    """How many sources were created, updated, left unchanged or skipped, and why."""

    actions: Counter[Action] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    ignored_fields: Counter[str] = field(default_factory=Counter)
    undated: int = 0
    future: int = 0

    def skip(self, source: Source, reason: str) -> None:
        self.actions["skipped"] += 1
        self.skipped.append((source.name, reason))


class _RolledBack(Exception):
    """Ends a dry run's transaction."""


class ImportService:
    """Loads batches, each in one transaction. A post is known by its slug (`_Known`), an author by confirmed address
    or name.
    """

    def __init__(self, transaction: Transaction, *, dry_run: bool = False) -> None:
        self.report = ImportReport()
        self._transaction = transaction
        self._dry_run = dry_run
        self._slugs: dict[str, str] = {}

    async def load(self, batch: Sequence[Source]) -> None:
        await self._load([source for source in batch if self._is_sound(source)])

    async def _load(self, sources: Sequence[Source]) -> None:
        try:
            actions = await self._store(sources)
        except DomainError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise  # the database failed, so every other post would fail too
            if len(sources) == 1:
                self.report.skip(sources[0], str(error))
                return
            for source in sources:  # one of them caused it: store each on its own, so that the others are kept
                await self._load([source])
        else:
            for source, action in zip(sources, actions, strict=True):
                self._count(source, action)

    def _is_sound(self, source: Source) -> bool:
        if source.post is None:
            self.report.skip(source, source.fault or "empty")
            return False
        first = self._slugs.setdefault(source.post.slug, source.name)
        if first != source.name:
            self.report.skip(source, f"has the same path as {first}")
            return False
        return True

    def _count(self, source: Source, action: Action) -> None:
        self.report.actions[action] += 1
        self.report.ignored_fields.update(source.ignored)
        if source.post and not source.post.draft:
            date = source.post.published_at
            self.report.undated += date is None
            self.report.future += date is not None and date > datetime.now(UTC)

    async def _store(self, sources: Sequence[Source]) -> list[Action]:
        actions: list[Action] = []
        posts = [source.post for source in sources if source.post]
        try:
            async with self._transaction() as (post_repo, user_repo):
                authors = await self._authors(user_repo, posts)
                ids = [author.id for author in authors.values()]
                known = _Known(await post_repo.find_by_slugs([post.slug for post in posts], authors=ids))
                for post in posts:
                    byline = list(dict.fromkeys(authors[author] for author in post.authors))
                    actions.append(await _upsert(post_repo, post, known.find(post.slug, byline[0]), byline))
                if self._dry_run:
                    raise _RolledBack
        except _RolledBack:
            pass
        return actions

    async def _authors(self, users: UserRepo, posts: Sequence[ImportedPost]) -> dict[ImportedAuthor, User]:
        """The user of each author of these posts: a confirmed account, else a name, which is created when it is new."""
        wanted = list(dict.fromkeys(author for post in posts for author in post.authors))
        found = await users.find_authors(
            emails=[author.email for author in wanted if author.email], names=[author.name for author in wanted]
        )
        accounts = {user.email.lower(): user for user in found if user.email}
        names = {user.name: user for user in found if not user.email}
        bylines = {}
        for author in wanted:
            user = accounts.get((author.email or "").lower()) or names.get(author.name)
            if user is None:
                user = names[author.name] = await users.create(name=author.name)
            bylines[author] = user
        return bylines


class _Known:
    """Which stored post an imported one is, when several have its slug: the author's own; else the published one; else
    the draft of somebody without an account, which an earlier import brought. Never the draft of another account.
    """

    def __init__(self, posts: Sequence[Post]) -> None:
        self._own = {(post.slug, post.author_id): post for post in posts}
        shared = [post for post in posts if post.published_at or post.author.email is None]
        shared.sort(key=lambda post: (post.published_at is not None, post.id))
        self._shared = {post.slug: post for post in shared}  # the published one last, so that it stays

    def find(self, slug: str, author: User) -> Post | None:
        return self._own.get((slug, author.id)) or self._shared.get(slug)


async def _upsert(posts: ImportedPostRepo, new: ImportedPost, known: Post | None, byline: Sequence[User]) -> Action:
    values = _values(new, known)
    author, *co_authors = byline
    if known is None:
        await posts.create(author=author, co_authors=co_authors, slug=new.slug, **values)
        return "created"
    values["author"] = author
    changed = {name: value for name, value in values.items() if getattr(known, name) != value}
    if not posts.set_co_authors(known, co_authors) and not changed:
        return "unchanged"
    await posts.update(known, changed)
    return "updated"


def _values(new: ImportedPost, known: Post | None) -> dict[str, Any]:
    undated = known.published_at if known and known.published_at else datetime.now(UTC)
    return {
        "title": new.title,
        "body": new.body,
        "published_at": None if new.draft else new.published_at or undated,
    }
