"""Root's server runs as `nobody`, and whatever else runs as that user reaches neither its files nor the server."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest
from pgfolder import EmbeddedPostgres, folders
from pgfolder.accounts import Account
from pgfolder_support.servers import ask, is_closed, lives, server

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another user")

# With a long path the socket is in /tmp.
NAMES = pytest.mark.parametrize("name", ["short", "long" * 30], ids=["short", "long"])


def as_nobody(*command: str | Path, group: int | None = None) -> int:
    """The exit code of a command that runs as other services of this user do, unless another group is given."""
    nobody = pwd.getpwnam("nobody")
    group = nobody.pw_gid if group is None else group
    return subprocess.run(
        command, cwd="/", user=nobody.pw_uid, group=group, extra_groups=[], capture_output=True, check=False
    ).returncode


def ways_in(postgres: EmbeddedPostgres, data_dir: Path, group: int | None = None) -> set[str]:
    """Which ways are open."""
    process = psutil.Process(postgres.pid)
    psql = Path(process.exe()).with_name("psql")
    socket = str(ask(postgres, "SELECT current_setting('unix_socket_directories')"))
    ways: dict[str, list[str | Path]] = {
        "files": ["cat", data_dir / "postgres" / "PG_VERSION"],
        "log": ["cat", data_dir / "server.log"],
        "process": ["cat", f"/proc/{process.pid}/cwd/PG_VERSION"],
        "socket": [psql, "-X", "-h", socket, "-U", "postgres", "-c", "SELECT 1"],
    }
    return {way for way, command in ways.items() if as_nobody(*command, group=group) == 0}


@NAMES
def test_only_the_group_of_the_server_gets_in(base: Path, name: str) -> None:
    with server(base / name) as postgres:
        own = psutil.Process(postgres.pid).gids().real
        assert ways_in(postgres, base / name, own) == {"files", "log", "process", "socket"}
        assert ways_in(postgres, base / name) == set()


def test_no_memory_is_shared_under_the_name_of_the_user_alone(data_dir: Path) -> None:
    with server(data_dir) as postgres:
        assert ask(postgres, "SHOW dynamic_shared_memory_type") == "mmap"


@NAMES
def test_data_of_an_earlier_version_is_kept_and_closed(base: Path, name: str) -> None:
    data_dir = base / name
    with server(data_dir) as postgres:
        ask(postgres, "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
    as_an_earlier_version_left_it(data_dir)
    assert as_nobody("cat", data_dir / "postgres" / "PG_VERSION") == 0

    with server(data_dir) as postgres:
        assert ask(postgres, "SELECT one FROM kept") == 1
        assert ways_in(postgres, data_dir) == set()


def test_a_server_that_an_earlier_version_left_running_is_joined_and_stopped(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_an_earlier_version_left_it(data_dir)
    nobody = pwd.getpwnam("nobody")
    with monkeypatch.context() as patch:
        patch.setattr(folders, "account_for", lambda _: Account(nobody.pw_uid, nobody.pw_gid))
        earlier = server(data_dir)
        earlier.start()
        left = earlier.pid
        earlier._let_go()  # as the kernel does for a killed process

    with server(data_dir) as postgres:
        assert postgres.pid == left
        postgres.ensure_database("joined")
        assert ask(postgres, "SELECT 1", database="joined") == 1
    assert not lives(left)


def test_a_folder_that_holds_other_things_stays_as_it_is(base: Path) -> None:
    (base / "notes.txt").touch()
    for _ in range(2):
        with server(base) as postgres:
            assert ask(postgres, "SELECT 1") == 1
        assert base.stat().st_mode & 0o777 == 0o755
        home = (base / "moved-to").readlink()
        assert is_closed(home)
    shutil.rmtree(home)


def as_an_earlier_version_left_it(data_dir: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    data_dir.chmod(0o700)
