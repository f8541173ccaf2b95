"""A server that dies under its holders is started again: once, with its data, and not for ever."""

import logging
import os
import signal
from pathlib import Path

import pytest
from pgfolder import EmbeddedPostgres, keeping, kept_running
from pgfolder_support.servers import ask, lives, server, wait_until


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "POLL", 0.01)


def kill(postgres: EmbeddedPostgres) -> None:
    killed = postgres.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not lives(killed))


def test_a_killed_server_is_started_again_by_one_of_its_holders(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server(data_dir) as one, server(data_dir) as two:
        ask(one, "DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one", "SELECT 1")
        address = one.url()
        with kept_running(one), kept_running(two):
            kill(one)
            wait_until(lambda: caplog.messages)
            assert ask(two, "SELECT one FROM kept") == 1
        assert caplog.messages == [f"the PostgreSQL in {data_dir} died and was started again"]
        assert one.url() == address


def test_a_server_that_dies_again_and_again_is_given_up(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    marker = data_dir / "postgres" / "PG_VERSION"
    ours = marker.read_text()
    with server(data_dir) as postgres, kept_running(postgres, pauses=[0, 0]):
        marker.write_text("17\n")
        try:
            kill(postgres)
            wait_until(lambda: caplog.messages)
        finally:
            marker.write_text(ours)
        assert postgres.pid is None
    [(_, level, line)] = caplog.record_tuples
    assert level == logging.ERROR
    assert line.startswith(f"the PostgreSQL in {data_dir} died and is not started again after 2 attempts: PostgreSQL ")


def test_what_its_holder_has_stopped_is_not_started_again(data_dir: Path) -> None:
    with server(data_dir) as postgres:
        kill(postgres)
        assert postgres.has_died
        postgres.stop()
        assert not postgres.has_died
        assert not postgres.start_again()
        assert postgres.pid is None


def test_a_server_that_lives_is_left_alone(data_dir: Path) -> None:
    with server(data_dir) as postgres:
        before = postgres.pid
        assert not postgres.start_again()
        assert postgres.pid == before
