"""A benchmark from its command to its report, and what it leaves behind: nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.laws import ROOT

COMMAND = (sys.executable, "-m", "benchmarks.compare")
SMALL = ("--only", "service", "--rows", "200", "--rounds", "1", "--one-worker")
WITHIN = 90  # seconds


@pytest.fixture
def environment(tmp_path: Path, postgres_url: str) -> Mapping[str, str]:
    return {**os.environ, "BENCH_DATABASE_URL": postgres_url, "BENCH_CACHE": str(tmp_path), "TMPDIR": str(tmp_path)}


@pytest.fixture
def server(postgres_url: str) -> Iterator[psycopg.Connection]:
    """For one test at a time: a benchmark refuses a server that another one uses."""
    url = make_url(postgres_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('tests of benchmarks'))")
        yield connection


def copies(connection: psycopg.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'bench_run_%'")]


def test_a_run_reports_what_it_measured(
    tmp_path: Path, server: psycopg.Connection, environment: Mapping[str, str]
) -> None:
    file = tmp_path / "results.json"
    options = (*SMALL, "--ask", "post,create", "--seconds", "0.2", "--json", str(file))

    done = subprocess.run(
        [*COMMAND, "run", *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = {(each["phase"], each["workload"]): each for each in json.loads(file.read_text())["summaries"]}
    assert set(found) == {("one worker", "post"), ("one worker", "create"), ("open load at 70%", "post")}
    for measured in found.values():
        assert measured["failed"] == 0
        assert measured["cpu_us"]["median"] > 0
        assert measured["throughput"]["median"] > 0
    table = subprocess.run([*COMMAND, "ladder", str(file)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "| service |" in table.stdout
    assert copies(server) == []
    assert {each.name for each in tmp_path.iterdir()} == {"results.json", "run.lock"}


def test_ctrl_c_stops_everything(tmp_path: Path, server: psycopg.Connection, environment: Mapping[str, str]) -> None:
    options = (*SMALL, "--ask", "post", "--seconds", "2", "--rounds", "1000")
    process = subprocess.Popen(
        [*COMMAND, "run", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_reads(server)
        started = psutil.Process(process.pid).children(recursive=True)

        process.send_signal(signal.SIGINT)
        process.wait(WITHIN)

        assert copies(server) == []
        assert started
        _, left = psutil.wait_procs(started, WITHIN)  # those that look after others end a moment later
        assert left == []
        assert {each.name for each in tmp_path.iterdir()} == {"run.lock"}
    finally:
        process.kill()
        process.wait()


def wait_for_reads(connection: psycopg.Connection) -> None:
    """Returns when the service reads from a copy."""
    end = monotonic() + WITHIN
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'bench_run_copy%' AND query LIKE '%FROM posts%'"
    while not connection.execute(query).fetchall()[0][0]:
        assert monotonic() < end, "the benchmark started no load"
        sleep(0.1)


def test_a_fault_is_answered_with_one_line(environment: Mapping[str, str]) -> None:
    command = [*COMMAND, "run", "--only", "nobody"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bench: --only: there is no 'nobody'; choose of service, driver, bare,")
    assert done.stderr.count("\n") == 1
