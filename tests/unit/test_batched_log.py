"""Lines of requests are written together, in order, and none is lost."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import batched_log
from app.core.access_log import AccessLog
from tests.support.application import make_settings
from tests.support.loglines import LogLines, logged
from tests.support.waiting import until

SETTINGS = make_settings()


@pytest.fixture
def lines() -> Iterator[LogLines]:
    with logged(SETTINGS) as lines:
        yield lines


@pytest.fixture
def access_log() -> AccessLog:
    return AccessLog(SETTINGS)


def write(access_log: AccessLog, *paths: str) -> None:
    for path in paths:
        access_log.write(method="GET", path=path, status=200, duration_ms=1.5, request_id="1234")


def written(lines: LogLines) -> list[str]:
    """The paths and events that stand in the log, without those that still wait."""
    lines.seek(0)
    return [word for line in lines for word in ("/one", "/two", "/three", "beside") if word in line]


async def test_requests_wait_for_each_other_and_are_written_soon(lines: LogLines, access_log: AccessLog) -> None:
    write(access_log, "/one", "/two")
    at_once = written(lines)

    assert at_once == []
    await until(lambda: written(lines) == ["/one", "/two"])


async def test_another_line_is_written_at_once_and_in_its_place(lines: LogLines, access_log: AccessLog) -> None:
    write(access_log, "/one")
    logging.getLogger("app").warning("beside")
    write(access_log, "/two")

    assert written(lines) == ["/one", "beside"]


async def test_a_full_batch_is_written_at_once(
    lines: LogLines, access_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched_log, "LARGEST_BATCH", 2)

    write(access_log, "/one", "/two", "/three")

    assert written(lines) == ["/one", "/two"]


async def test_a_batch_whose_event_loop_has_ended_is_written_by_the_next_line(
    lines: LogLines, access_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched_log, "LONGEST_WAIT", 0)
    await asyncio.to_thread(asyncio.run, in_another_loop(access_log))

    write(access_log, "/two")

    assert written(lines) == ["/one", "/two"]


async def in_another_loop(access_log: AccessLog) -> None:
    write(access_log, "/one")


def test_without_an_event_loop_a_line_is_written_at_once(lines: LogLines, access_log: AccessLog) -> None:
    write(access_log, "/one")

    assert written(lines) == ["/one"]


@pytest.mark.parametrize(("end", "code"), [("pass", 0), ("raise SystemExit(3)", 3), ("raise RuntimeError", 1)])
def test_a_process_that_ends_writes_what_waits(end: str, code: int) -> None:
    program = f"""
import asyncio
from app.core.access_log import AccessLog
from app.core.logs import configure_logging
from tests.support.application import make_settings

async def main():
    AccessLog(settings).write(method="GET", path="/one", status=200, duration_ms=1.5, request_id="1234")
    {end}

settings = make_settings()
configure_logging(settings)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)

    assert (done.returncode, '"path": "/one"' in done.stderr) == (code, True), done.stderr


def test_a_log_that_nobody_reads_stops_nothing(lines: LogLines, access_log: AccessLog) -> None:
    lines.close()

    write(access_log, "/one")
