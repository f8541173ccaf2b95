"""What LOG_LEVEL=DEBUG adds: how the database was used, without a word of what is in it."""

import subprocess
import sys
from pathlib import Path

import httpx2
from sqlalchemy.engine import URL

from app.core.config import load_settings
from app.main import create_app
from tests.support.accounts import USERS
from tests.support.application import make_settings
from tests.support.database import ask
from tests.support.loglines import logged
from tests.support.process import data_folder, environment

DEBUG = make_settings(log_level="DEBUG")
END_ALL = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_a_write_transaction_tells_its_outcome_and_its_length(live_client: httpx2.AsyncClient) -> None:
    user = {"email": "canary@example.com", "name": "Canary"}

    with logged(DEBUG) as lines:
        responses = [await live_client.post(USERS, json=user) for _ in range(2)]

    written, refused = lines.named("write_transaction")
    assert [response.status_code for response in responses] == [201, 409]
    assert (written["level"], written["outcome"], refused["outcome"]) == ("debug", "committed", "rolled back")
    assert written["duration_ms"] > 0
    assert written["request_id"] == responses[0].headers["X-Request-ID"]
    assert "canary" not in lines.getvalue().lower()


async def test_a_read_that_runs_again_says_so(live_client: httpx2.AsyncClient, live_url: URL) -> None:
    await live_client.get(USERS)
    ask(live_url, END_ALL)

    with logged(DEBUG) as lines:
        response = await live_client.get(USERS)

    [again] = lines.named("read_again")
    assert response.status_code == 200
    assert again["level"] == "debug"
    assert "request_id" not in again  # others may have waited for the same query


async def test_the_start_of_the_embedded_database_is_told() -> None:
    with data_folder() as folder:
        app = create_app(load_settings(_env_file=None, environment="test", data_dir=folder))
        with logged(DEBUG) as lines:
            async with app.router.lifespan_context(app):
                pass

    [start] = lines.named("embedded_postgres")
    assert start["level"] == "debug"
    assert start["pid"] > 1
    assert start["duration_ms"] > 0
    assert lines.named("migration")[-1]["said"].endswith("revisions done")


async def test_without_it_nothing_of_this_is_logged(live_client: httpx2.AsyncClient, live_url: URL) -> None:
    with logged(make_settings()) as lines:
        await live_client.post(USERS, json={})
        await live_client.get(USERS)
        ask(live_url, END_ALL)
        await live_client.get(USERS)

    assert [event["event"] for event in lines.events] == ["request"] * 3


def test_a_command_writes_the_log_beside_its_output(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.cli.main", "db", "upgrade", "--sql"]
    with data_folder() as folder:
        variables = environment(DATA_DIR=str(folder), LOG_LEVEL="DEBUG")
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("\\set ON_ERROR_STOP on\n")
    assert "embedded_postgres" in done.stderr
