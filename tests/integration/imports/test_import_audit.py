"""What the audit log says of an import."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from tests.support.commands import postern
from tests.support.database import Record, ask, audit_log_of


def markdown(*authors: str, title: str = "Notes") -> str:
    return f"+++\ntitle = '{title}'\nauthors = {list(authors)}\ndate = 2016-09-29\n+++\nText\n"


async def test_an_import_is_told_as_the_command_and_a_byline_as_changes_of_its_post(
    live_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "notes.md"

    async def imported(text: str) -> list[Record]:
        known = len(audit_log_of(live_url))
        file.write_text(text)
        assert await postern(monkeypatch, live_url, "import", str(tmp_path)) == 0
        return audit_log_of(live_url)[known:]

    created = await imported(markdown("Ada", "Grace", "Mary"))
    again = await imported(markdown("Ada", "Grace", "Mary"))
    turned = await imported(markdown("Ada", "Mary", "Grace"))
    passed_on = await imported(markdown("Mary"))

    ids = {name: str(found) for name, found in ask(live_url, "SELECT name, id FROM users")}
    post = str(ask(live_url, "SELECT id FROM posts")[0][0])
    assert {kind for kind, *_ in created + turned + passed_on} == {"command"}
    assert sorted(row[1] for row in created) == ["post.created", *["post.updated"] * 2, *["user.created"] * 3]
    new = next(changes for _, action, _, changes in created if action == "post.created")
    assert new["author_id"] == [None, ids["Ada"]]
    assert again == []

    def place(name: str, position: int) -> dict[str, Any]:
        return {"user_id": ids[name], "position": position}

    def byline(*rows: Record) -> list[Any]:
        assert {(action, entity_id) for _, action, entity_id, _ in rows} == {("post.updated", post)}
        return [changes["co_authorships"] for *_, changes in rows]

    assert byline(*(row for row in created if row[1] == "post.updated")) == [
        [None, place("Grace", 1)],
        [None, place("Mary", 2)],
    ]
    assert sorted(byline(*turned), key=str) == sorted(
        [[place("Grace", 1), place("Grace", 2)], [place("Mary", 2), place("Mary", 1)]], key=str
    )
    changed = next(row[3] for row in passed_on if "author_id" in row[3])
    assert changed == {"author_id": [ids["Ada"], ids["Mary"]]}
    removed = byline(*(row for row in passed_on if "co_authorships" in row[3]))
    assert sorted(removed, key=str) == sorted([[place("Mary", 1), None], [place("Grace", 2), None]], key=str)


async def test_a_dry_run_leaves_no_record(live_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.md").write_text(markdown("Ada"))

    assert await postern(monkeypatch, live_url, "import", str(tmp_path), "--dry-run") == 0

    assert audit_log_of(live_url) == []
