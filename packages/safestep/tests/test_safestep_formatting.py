"""New revisions are formatted where ruff is installed, and left alone where it isn't."""

import sys
from pathlib import Path

import pytest
from safestep import formatting

GENERATED = "import sqlalchemy as sa\nfrom alembic import op\nimport os\nx = [ 'a' ]\n"


def test_a_revision_is_formatted(tmp_path: Path) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nselect = ["I", "F"]\n')
    revision = tmp_path / "revision.py"
    revision.write_text(GENERATED)

    formatting.main(str(revision))

    assert revision.read_text() == 'x = ["a"]\n'


def test_without_ruff_it_stays_as_it_was_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ruff", None)
    revision = tmp_path / "revision.py"
    revision.write_text(GENERATED)

    formatting.main(str(revision))

    assert revision.read_text() == GENERATED
    assert capsys.readouterr().out == "ruff isn't installed, so the revision stays as it was generated\n"
