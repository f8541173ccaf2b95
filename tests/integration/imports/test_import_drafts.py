"""Which stored post an imported one is, when drafts of several people may have its path."""

from pathlib import Path

from sqlalchemy.engine import URL

from tests.integration.imports.files import Run, front_matter, snapshot
from tests.support.database import ask

ACCOUNT = (
    "INSERT INTO users (id, email, name, email_verified_at) "
    "VALUES (gen_random_uuid(), '{name}@example.com', '{name}', now()) RETURNING id"
)
POST = (
    "INSERT INTO posts (id, author_id, title, body, slug, published_at) "
    "VALUES (gen_random_uuid(), '{account}', 'Secret', '', 'first', {published_at}) RETURNING id"
)
ADA = ("title: First", "author: {name: Ada, email: Ada@example.com}", "date: 2026-01-01")


def account(database: URL, name: str) -> str:
    [(account_id,)] = ask(database, ACCOUNT.format(name=name))
    return str(account_id)


def authors(database: URL) -> list[tuple[str, str, bool]]:
    """Title, author and whether it is published, of every post."""
    statement = "SELECT title, name, published_at IS NOT NULL FROM posts JOIN users ON users.id = author_id ORDER BY 1"
    return [(title, name, is_published) for title, name, is_published in ask(database, statement)]


def test_the_draft_of_another_account_is_left_alone(database: URL, folder: Path, run: Run) -> None:
    ask(database, POST.format(account=account(database, "Bob"), published_at="NULL"))
    front_matter(folder, "first.md", *ADA)

    assert run()[1][-1] == "1 created, 0 updated, 0 unchanged, 0 skipped"
    assert authors(database) == [("First", "Ada", True), ("Secret", "Bob", False)]
    before = snapshot(database)
    assert run()[1][-1] == "0 created, 0 updated, 1 unchanged, 0 skipped"
    assert snapshot(database) == before


def test_an_authors_own_draft_comes_before_what_somebody_else_published(database: URL, folder: Path, run: Run) -> None:
    account(database, "Ada")
    front_matter(folder, "first.md", *ADA, "draft: true")
    run()
    ask(database, POST.format(account=account(database, "Bob"), published_at="now()"))

    assert run()[1][-1] == "0 created, 0 updated, 1 unchanged, 0 skipped"
    front_matter(folder, "first.md", *ADA)
    code, report = run()

    assert (code, report[-1]) == (1, "0 created, 0 updated, 0 unchanged, 1 skipped")
    assert report[0].startswith("skipped first.md: A published post")
    assert authors(database) == [("First", "Ada", False), ("Secret", "Bob", True)]


def test_an_imported_draft_follows_its_author_into_the_account(database: URL, folder: Path, run: Run) -> None:
    front_matter(folder, "first.md", *ADA, "draft: true")
    run()
    account(database, "Ada")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"
    assert run()[1][-1] == "0 created, 0 updated, 1 unchanged, 0 skipped"
    owned = "SELECT email FROM posts JOIN users ON users.id = author_id"
    assert ask(database, owned) == [("Ada@example.com",)]


def test_an_imported_draft_follows_a_corrected_name(database: URL, folder: Path, run: Run) -> None:
    front_matter(folder, "first.md", "title: First", "author: Ada", "draft: true")
    run()
    front_matter(folder, "first.md", "title: First", "author: Ada Lovelace", "draft: true")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"
    assert authors(database) == [("First", "Ada Lovelace", False)]
