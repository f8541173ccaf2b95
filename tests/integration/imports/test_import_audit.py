"""What the audit log says of an import."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from tests.support.commands import postern
from tests.support.database import Record, ask, audit_log_of


def markdown(*authors: str, title: str = "Notes") -> str:
    return f"+++\ntitle = '{title}'\nauthors = {list(authors)}\ndate = 2016-09-29\n+++\nText\n"


class Import:
    """Imports one post again and again."""

    def __init__(self, url: URL, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._url, self._folder, self._monkeypatch = url, folder, monkeypatch

    async def __call__(self, *authors: str) -> list[Record]:
        """What is recorded when the post has these authors; byline rows of one statement in the order of their text."""
        known = len(audit_log_of(self._url))
        (self._folder / "notes.md").write_text(markdown(*authors))
        assert await postern(self._monkeypatch, self._url, "import", str(self._folder)) == 0
        return sorted(audit_log_of(self._url)[known:], key=str)


async def test_an_import_is_told_as_the_command(live_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = Import(live_url, tmp_path, monkeypatch)

    created = await imported("Ada", "Grace", "Mary")
    again = await imported("Ada", "Grace", "Mary")

    ids = {name: str(found) for name, found in ask(live_url, "SELECT name, id FROM users")}
    assert {kind for kind, *_ in created} == {"command"}
    assert [row[1] for row in created] == ["post.created", *["post.updated"] * 2, *["user.created"] * 3]
    assert created[0][3]["author_id"] == [None, ids["Ada"]]
    assert again == []


async def test_a_byline_is_told_row_by_row_as_changes_of_its_post(
    live_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = Import(live_url, tmp_path, monkeypatch)

    added = (await imported("Ada", "Grace", "Mary"))[1:3]
    turned = await imported("Ada", "Mary", "Grace")
    passed_on = await imported("Mary")

    ids = {name: str(found) for name, found in ask(live_url, "SELECT name, id FROM users")}
    post = str(ask(live_url, "SELECT id FROM posts")[0][0])

    def place(name: str, position: int) -> dict[str, Any]:
        return {"user_id": ids[name], "position": position}

    def changed(changes: list[Any], field: str = "co_authorships") -> Record:
        return "command", "post.updated", post, {field: changes}

    assert added == sorted([changed([None, place("Grace", 1)]), changed([None, place("Mary", 2)])], key=str)
    grace, mary = [place("Grace", 1), place("Grace", 2)], [place("Mary", 2), place("Mary", 1)]
    assert turned == sorted([changed(grace), changed(mary)], key=str)
    gone = [changed([place("Grace", 2), None]), changed([place("Mary", 1), None])]
    assert passed_on == sorted([*gone, changed([ids["Ada"], ids["Mary"]], "author_id")], key=str)


async def test_a_dry_run_leaves_no_record(live_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.md").write_text(markdown("Ada"))

    assert await postern(monkeypatch, live_url, "import", str(tmp_path), "--dry-run") == 0

    assert audit_log_of(live_url) == []
