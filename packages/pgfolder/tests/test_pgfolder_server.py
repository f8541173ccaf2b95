"""A server in a folder: it is created, answers each driver, keeps its data, or says why it can't."""

from pathlib import Path

import psutil
import pytest
from pgfolder import EmbeddedPostgresError
from pgfolder.cluster import StopMode
from pgfolder_support.servers import ask, is_closed, lives, server


def test_a_new_server_answers_each_driver(new_dir: Path) -> None:
    with server(new_dir) as postgres:
        postgres.ensure_database("notes")
        for driver in ("asyncpg", "psycopg"):
            assert ask(postgres, "SELECT 1", database="notes", driver=driver) == 1


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


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_is_a_new_server_with_the_same_data(data_dir: Path, mode: StopMode) -> None:
    with server(data_dir) as postgres:
        ask(postgres, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
        before = postgres.pid
        postgres.restart(mode)
        assert postgres.pid != before
        assert not lives(before)
        assert ask(postgres, "SELECT one FROM kept") == 1
        log = (data_dir / "server.log").read_text()
        assert ("automatic recovery in progress" in log) == (mode == "immediate")


def test_the_server_has_no_network_port_and_a_closed_socket_folder(data_dir: Path) -> None:
    with server(data_dir, listen_addresses="localhost") as postgres:
        assert psutil.Process(postgres.pid).net_connections("inet") == []
        assert is_closed(data_dir / "socket")


@pytest.mark.parametrize("name", ["x" * 120, "$HOME `id`, 'a' \"b\" ü:1"], ids=["long", "odd"])
def test_any_path_will_do(base: Path, name: str) -> None:
    with server(base / name) as postgres:
        for driver in ("asyncpg", "psycopg"):
            assert ask(postgres, "SELECT 1", driver=driver) == 1
        folder = Path(str(ask(postgres, "SELECT current_setting('unix_socket_directories')")))
        assert is_closed(folder)
    assert not folder.exists()


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


@pytest.mark.parametrize("name", ["short", "long" * 30])
def test_a_folder_without_a_version_is_left_alone(new_dir: Path, name: str) -> None:
    (new_dir / name / "postgres").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match=r"holds data of PostgreSQL \(unknown\)"):
        server(new_dir / name).start()
    assert list((new_dir / name / "postgres").iterdir()) == []


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    postgres = server(data_dir, shared_buffers="a few")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"') as caught:
        postgres.start()
    assert "\n" not in str(caught.value)
    with pytest.raises(EmbeddedPostgresError, match=r"call start\(\) first"):
        postgres.url()
    with server(data_dir) as repaired:
        assert ask(repaired, "SELECT 1") == 1
