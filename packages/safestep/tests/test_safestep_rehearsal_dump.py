"""A dump of a real database as the rehearsal's data."""

import subprocess
from pathlib import Path

import pytest
from pgfolder import binary
from safestep.rehearsal.dump import restore
from safestep.rehearsal.errors import RehearsalError
from safestep_support.databases import ask, plain
from sqlalchemy.engine import URL


def write_dump(url: URL, file: Path, form: str) -> None:
    only = ("--table=users", "--table=alembic_version")
    subprocess.run([binary("pg_dump"), f"--format={form}", *only, "--file", file, plain(url)], check=True)


@pytest.mark.parametrize("form", ["plain", "custom", "directory"])
async def test_a_dump_of_every_form_is_restored(template: URL, empty: URL, tmp_path: Path, form: str) -> None:
    dump = tmp_path / "dump"
    write_dump(template, dump, form)

    await restore(empty, dump, binary)

    assert ask(empty, "SELECT count(*) FROM users") == [(0,)]
    assert len(ask(empty, "SELECT version_num FROM alembic_version")) == 1


async def test_what_is_no_dump_is_said_in_one_line(empty: URL, tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text("SELECT 1;\nnonsense;\n")

    with pytest.raises(RehearsalError, match=r"dump.sql can't be restored: .*syntax error") as raised:
        await restore(empty, dump, binary)

    assert "\n" not in str(raised.value)
