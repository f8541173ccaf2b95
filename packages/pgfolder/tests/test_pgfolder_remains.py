"""What dead servers, other containers and other users have left behind."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from pgfolder import EmbeddedPostgresError, binary
from pgfolder_support.servers import ask, lives, server, wait_until


def test_a_killed_server_starts_again_once_its_last_session_has_ended(data_dir: Path) -> None:
    busy = "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '0.7 s' LOOP END LOOP; END $$"
    with server(data_dir) as postgres:
        ask(postgres, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
        killed = postgres.pid
        assert killed
        login = ["-X", "-q", "-h", str(data_dir / "socket"), "-U", "postgres"]
        with subprocess.Popen([binary("psql"), *login, "-c", busy], stderr=subprocess.DEVNULL):
            wait_until(lambda: ask(postgres, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'"))
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not lives(killed))
            postgres.start()
        assert postgres.pid != killed
        assert ask(postgres, "SELECT one FROM kept") == 1
        assert "pre-existing shared memory block" in (data_dir / "server.log.1").read_text()


def test_a_pid_file_that_names_another_process_is_no_obstacle(data_dir: Path) -> None:
    file = data_dir / "postgres" / "postmaster.pid"
    socket_lock = data_dir / "socket" / ".s.PGSQL.5432.lock"
    with server(data_dir):
        lines = file.read_text().splitlines()
    owner = (data_dir / "postgres").stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid if os.geteuid() == 0 else None) as stranger:
        try:
            file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
            os.chown(file, owner.st_uid, owner.st_gid)
            socket_lock.parent.mkdir(mode=0o700)
            shutil.copyfile(file, socket_lock)
            with server(data_dir) as postgres:
                assert ask(postgres, "SELECT 1") == 1
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_pid_file_cut_short_is_no_obstacle(data_dir: Path) -> None:
    (data_dir / "postgres" / "postmaster.pid").write_text("")
    with server(data_dir) as postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_a_socket_folder_of_somebody_else_is_refused(base: Path) -> None:
    path = base / ("x" * 120)
    with server(path) as postgres:
        folder = Path(str(ask(postgres, "SELECT current_setting('unix_socket_directories')")))
    folder.symlink_to(base)
    try:
        with pytest.raises(EmbeddedPostgresError, match="is not a private folder"):
            server(path).start()
    finally:
        folder.unlink()


def test_a_server_that_is_seen_only_by_its_socket_is_not_doubled(new_dir: Path) -> None:
    with server(new_dir):
        pass
    (new_dir / "socket").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as unseen:
        unseen.bind(str(new_dir / "socket" / ".s.PGSQL.5432"))
        unseen.listen()
        with pytest.raises(EmbeddedPostgresError, match="in another container: stop that one first"):
            server(new_dir).start()


def test_a_link_to_the_data_of_another_folder_is_refused(new_dir: Path) -> None:
    new_dir.mkdir()
    (new_dir / "moved-to").symlink_to("/var/tmp/pgfolder-of-another-0")
    with pytest.raises(EmbeddedPostgresError, match="leads to another folder's data"):
        server(new_dir).start()
    (new_dir / "moved-to").unlink()
