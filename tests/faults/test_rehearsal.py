"""Rehearsals of this service: its own traffic, its own revisions, and a resource that a fork adds."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.plan import git

from app.db.migrations import ROOT
from tests.support.rehearsals import CodeCopy, copied, rehearse

LENIENT = ("--rate", "30", "--max-stall", "20", "--warm-up", "1", "--before", "1.5", "--after", "0.5")
FIRST = "3c32f22b34d4"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that PostgreSQL's account may enter."""
    made = Path(tempfile.mkdtemp(prefix="rehearse-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def first_version() -> str:
    """The newest commit of the service as it was with nothing but its first revision."""
    try:
        commits = git(ROOT, "rev-list", "HEAD").split()
    except RehearsalError as error:
        pytest.skip(f"there is no history here: {error}")
    for commit in commits:
        versions = git(ROOT, "ls-tree", "--name-only", commit, "alembic/versions/").split()
        users = "" if len(versions) != 1 else git(ROOT, "show", f"{commit}:app/db/models/user.py")
        # A branch may have had columns in its models before it had their revision.
        if users and FIRST in versions[0] and "is_admin" not in users:
            return commit
    pytest.skip("the history of the repository doesn't go back that far")


def test_the_shipped_revisions_pass_under_the_code_of_the_first(folder: Path, first_version: str) -> None:
    outcome = rehearse(ROOT, folder, "--base", first_version, *LENIENT, "--rows", "10000")

    assert outcome.code == 0, outcome.errors
    assert outcome.report["passed"]
    assert outcome.report["rows"]["posts"] == 10_000
    index = outcome.statement("CREATE INDEX CONCURRENTLY ix_posts_author_drafts")
    assert [(lock["table"], lock["mode"]) for lock in index["locks"]] == [("posts", "ShareUpdateExclusiveLock")]
    assert [result["faults"] for result in outcome.report["compatibility"]] == [[], [], []]


COMMENTS = """
    CREATE TABLE comments (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), post_id uuid NOT NULL REFERENCES posts,
        author_id uuid NOT NULL REFERENCES users, text varchar(500) NOT NULL
    )
"""
ROUTES = '''"""What a fork adds: routes over a table of its own, about which the rehearsal's profile says nothing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import get_db

router = APIRouter(prefix="/comments")
Session = Annotated[AsyncSession, Depends(get_db)]


class CommentCreate(BaseModel):
    post_id: UUID
    author_id: UUID
    text: str = Field(min_length=1, max_length=500)


class CommentUpdate(BaseModel):
    text: str | None = Field(default=None, max_length=500)


class CommentRead(BaseModel):
    id: UUID
    text: str


@router.get("")
async def list_comments(db: Session) -> list[CommentRead]:
    rows = await db.execute(text("SELECT id, text FROM comments LIMIT 20"))
    return [CommentRead(id=row.id, text=row.text) for row in rows]


@router.post("", status_code=201)
async def create_comment(comment: CommentCreate, db: Session) -> CommentRead:
    values = "(post_id, author_id, text) VALUES (:post_id, :author_id, :text)"
    statement = f"INSERT INTO comments {values} RETURNING id, text"
    row = (await db.execute(text(statement), comment.model_dump())).one()
    return CommentRead(id=row.id, text=row.text)


@router.get("/{comment_id}")
async def read_comment(comment_id: UUID, db: Session) -> CommentRead:
    row = (await db.execute(text("SELECT id, text FROM comments WHERE id = :id"), {"id": comment_id})).one_or_none()
    if row is None:
        raise HTTPException(404)
    return CommentRead(id=row.id, text=row.text)


@router.patch("/{comment_id}")
async def update_comment(comment_id: UUID, comment: CommentUpdate, db: Session) -> CommentRead:
    statement = "UPDATE comments SET text = :text WHERE id = :id RETURNING id, text"
    row = (await db.execute(text(statement), {"id": comment_id, "text": comment.text})).one()
    return CommentRead(id=row.id, text=row.text)
'''


@pytest.fixture
def fork(folder: Path) -> CodeCopy:
    """This service with a resource `comments`, whose revision is the newest."""
    fork = copied(folder)
    fork.add("comments", COMMENTS)
    (fork.root / "app" / "api" / "routes" / "comments.py").write_text(ROUTES)
    return fork


def test_a_resource_that_a_fork_adds_gets_its_requests_from_the_contract(fork: CodeCopy, folder: Path) -> None:
    deployed = fork.head
    fork.add("language", "ALTER TABLE comments ADD COLUMN language text")

    outcome = rehearse(fork.root, folder, "--code", "checkout", "--from", deployed, *LENIENT, "--rows", "1000")

    assert outcome.code == 0, outcome.errors
    assert not [note for note in outcome.report["notes"] if "comments" in note]
    assert "comments" not in outcome.report["legs"][0]["tables_without_traffic"]
    assert "auth_sessions" in outcome.report["legs"][0]["tables_without_traffic"]


def test_columns_that_get_wider_stop_no_request(folder: Path) -> None:
    fork = copied(folder)
    deployed = fork.head
    fork.add(
        "wider columns",
        "ALTER TABLE posts ALTER COLUMN title TYPE varchar(1000)",
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(1000)",
    )

    outcome = rehearse(fork.root, folder, "--code", "checkout", "--from", deployed, *LENIENT, "--rows", "1000")

    assert outcome.code == 0, outcome.errors


def test_a_change_that_breaks_the_creations_of_a_fork_is_caught(fork: CodeCopy, folder: Path) -> None:
    git(fork.root, "init", "-q")
    git(fork.root, "add", ".")
    git(fork.root, "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "-qm", "deployed")
    fork.add(
        "language",
        "ALTER TABLE comments ADD COLUMN language text",
        "UPDATE comments SET language = 'en'",
        "ALTER TABLE comments ALTER COLUMN language SET NOT NULL",
    )

    outcome = rehearse(fork.root, folder, *LENIENT, "--rows", "1000")

    assert outcome.code == 1, outcome.errors
    _, deployed = outcome.report["compatibility"]
    assert {fault.partition(":")[0] for fault in deployed["faults"]} == {"POST /api/v1/comments"}
