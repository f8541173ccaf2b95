"""The real server process on a real socket: it serves, survives errors, stops cleanly, or says why it can't start."""

import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from time import sleep
from uuid import uuid4

import pytest
from pgfolder import EmbeddedPostgres
from safestep.migrations import commands
from safestep.migrations.plan import Phase, phase_of
from safestep.scratch import ScratchDatabase
from sqlalchemy.engine import URL, make_url

from app.db.migrations import project
from tests.support import database
from tests.support.process import (
    POSTERN,
    ROOT,
    UVICORN,
    Service,
    ask,
    can_be_bound,
    data_folder,
    environment,
    postgres_pid,
    started,
)
from tests.support.server import Clone

USERS = "/api/v1/users"

UNREADABLE = {
    "an unknown method": b"BREW /api/v1/users HTTP/1.1\r\nHost: a\r\n\r\n",
    "a length that is none": b"POST /api/v1/users HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    "bytes in the path": b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
}


@pytest.fixture(scope="module")
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture(scope="module")
def service(url: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that runs for all tests that only speak to it."""
    with started(POSTERN, tmp_path_factory.mktemp("service"), environment(url, PUBLIC_USERS="everybody")) as service:
        yield service


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Where an embedded server keeps its data, so that only the first test has to create a cluster."""
    with data_folder() as folder:
        yield folder


def test_users_are_created_read_and_listed_over_a_socket(service: Service) -> None:
    with service.connection() as connection:
        status, created = ask(connection, "POST", f"{USERS}/", {"email": "test@example.com", "is_active": True})

        assert status == 201
        shown = {"id": created["id"], "name": None}
        assert ask(connection, "GET", f"{USERS}/{created['id']}") == (200, shown)
        assert ask(connection, "GET", USERS) == (200, {"items": [shown], "next_cursor": None})


def test_head_leaves_the_connection_as_it_was(service: Service) -> None:
    with service.connection() as connection:
        connection.request("HEAD", USERS)
        response = connection.getresponse()

        assert (response.status, response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0
        assert ask(connection, "GET", USERS)[0] == 200


@pytest.mark.parametrize("request_line", UNREADABLE)
def test_what_cannot_be_read_as_http_is_a_problem_too(service: Service, request_line: str) -> None:
    status, headers, problem = service.answer_to(UNREADABLE[request_line])

    assert (status, problem["code"]) == (400, "bad_request")
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-ID"] == problem["request_id"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers
    assert problem["request_id"] in service.output
    assert service.get(USERS) == 200


def test_connections_outlive_an_unhandled_error_on_them_and_beside_them(service: Service, url: URL) -> None:
    with ExitStack() as stack:
        failing, *neighbours = [stack.enter_context(service.connection()) for _ in range(20)]
        assert {ask(neighbour, "GET", USERS)[0] for neighbour in neighbours} == {200}

        database.ask(url, "ALTER TABLE users RENAME TO elsewhere")
        status, problem = ask(failing, "GET", USERS)
        database.ask(url, "ALTER TABLE elsewhere RENAME TO users")

        assert (status, problem["code"]) == (500, "internal_error")
        assert ask(failing, "GET", USERS)[0] == 200
        assert {ask(neighbour, "GET", USERS)[0] for neighbour in neighbours} == {200}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_service_and_its_database(tmp_path: Path, data_dir: Path, number: signal.Signals) -> None:
    with started(POSTERN, tmp_path, environment(DATA_DIR=str(data_dir))) as service:
        assert service.get(USERS) == 200
        assert postgres_pid(data_dir)
        port = service.port

        assert service.end(number) == 0
        assert postgres_pid(data_dir) is None
        assert can_be_bound(port)
    assert "Traceback" not in service.output


@pytest.mark.parametrize("options", [(), ("--reload",)], ids=["plain", "reload"])
def test_uvicorn_serves_and_stops_the_database_too(tmp_path: Path, data_dir: Path, options: tuple[str, ...]) -> None:
    with started((*UVICORN, *options), tmp_path, environment(DATA_DIR=str(data_dir)), cwd=ROOT) as service:
        assert service.get(USERS) == 200
        assert postgres_pid(data_dir)
        family = service.workers()
        assert len(family) == len(options)

        service.end(signal.SIGINT)
        assert [worker for worker in family if worker.is_running()] == []
        assert postgres_pid(data_dir) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("options", "workers"), [(("--workers", "2"), 2), (("--reload",), 1)], ids=["two", "reload"])
def test_workers_serve_and_stop_with_the_process_that_started_them(
    tmp_path: Path, url: URL, options: tuple[str, ...], workers: int, number: signal.Signals
) -> None:
    with started((*POSTERN, *options), tmp_path, environment(url), cwd=ROOT) as service:
        assert service.get(USERS) == 200
        family = service.workers()
        assert len(family) == workers
        assert service.answer_to(UNREADABLE["an unknown method"])[2]["code"] == "bad_request"

        assert service.end(number) == 0
        assert [worker for worker in family if worker.is_running()] == []


def test_a_terminal_that_hangs_up_more_than_once_leaves_no_database_behind(tmp_path: Path, data_dir: Path) -> None:
    with started(POSTERN, tmp_path, environment(DATA_DIR=str(data_dir))) as service:
        assert service.get(USERS) == 200
        ending = Thread(target=service.wait)
        ending.start()
        while ending.is_alive():
            service.hang_up()
            ending.join(0.05)

    assert postgres_pid(data_dir) is None


def test_under_nohup_it_outlives_the_terminal(tmp_path: Path, url: URL) -> None:
    with started(("nohup", *POSTERN), tmp_path, environment(url)) as service:
        assert service.get(USERS) == 200
        service.hang_up()
        sleep(0.5)  # it would have left by now

        assert service.get(USERS) == 200
        assert service.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("given", ["in the environment", "in .env", "nowhere"])
def test_links_in_mails_lead_to_the_public_url_that_is_given_or_to_the_port(
    tmp_path: Path, url: URL, given: str
) -> None:
    public = "https://canary.example.com"
    variables = environment(url, LOG_FORMAT="json")
    if given == "in the environment":
        variables["PUBLIC_URL"] = public
    (tmp_path / ".env").write_text(f"PUBLIC_URL={public if given == 'in .env' else ''}\n")

    with started(POSTERN, tmp_path, variables) as service:
        with service.connection() as connection:
            ask(connection, "POST", USERS, {"email": f"{uuid4()}@example.com"})
        expected = f"http://127.0.0.1:{service.port}" if given == "nowhere" else public
        service.end(signal.SIGTERM)

    [mail] = service.events("mail")
    assert f"{expected}/" in mail["text"]


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = (*POSTERN, "--port", str(port))
        with started(command, tmp_path, environment(DATA_DIR=str(tmp_path / "data"))) as service:
            assert service.wait() == 1

    (line,) = service.output.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_database_that_is_behind_is_one_clear_line(tmp_path: Path, template: URL) -> None:
    with (
        ScratchDatabase(template.set(database="postgres")) as url,
        started(POSTERN, tmp_path, environment(url)) as service,
    ):
        assert service.wait() == 1

    revisions = commands.script_directory(project).walk_revisions()
    needed = next(each.revision for each in revisions if phase_of(each) is Phase.EXPAND)
    assert service.output == (
        f"postern: the database has no revision yet, this code needs {needed}: run `postern db upgrade`\n"
    )


def test_a_database_that_is_away_is_waited_for(tmp_path: Path) -> None:
    variables = environment(DATABASE_URL="postgresql+asyncpg://ada:canary@127.0.0.1:1/postern")
    with started(POSTERN, tmp_path, variables) as service:
        assert service.get(USERS) == 503
        assert service.end(signal.SIGTERM) == 0

    assert "revision_unknown" in service.output
    assert "canary" not in service.output


def test_an_embedded_database_of_another_branch_is_one_line_that_says_what_to_do(
    tmp_path: Path, data_dir: Path
) -> None:
    with EmbeddedPostgres(data_dir / "postgres") as server:
        server.ensure_database("postern")
        url = make_url(server.url("postern"))
        commands.upgrade(project, url)
        database.ask(url, "UPDATE alembic_version SET version_num = 'elsewhere'")
        with started(POSTERN, tmp_path, environment(DATA_DIR=str(data_dir))) as service:
            assert service.wait() == 1
        database.ask(url, "UPDATE alembic_version SET version_num = %s", commands.heads(project)[0])

    (line,) = service.output.splitlines()
    folder = data_dir / "postgres"
    assert line.startswith(f"postern: the database in {folder} is at revision elsewhere, which this checkout doesn't")
    assert line.endswith(f"go back to the branch that has it, or delete {folder}")


@pytest.mark.parametrize(
    ("command", "given", "missing"),
    [
        (POSTERN, {}, "DATABASE_URL"),
        (POSTERN, {"SECRET_KEYS": "canary:" + "canary" * 6}, "DATABASE_URL"),
        (POSTERN, {"DATABASE_URL": "postgresql+asyncpg://canary@127.0.0.1/canary"}, "SECRET_KEYS"),
        (UVICORN, {}, "DATABASE_URL"),
    ],
    ids=["nothing", "only-a-secret", "only-a-database", "uvicorn"],
)
def test_production_refuses_to_start_without_its_settings(
    tmp_path: Path, command: tuple[str, ...], given: dict[str, str], missing: str
) -> None:
    data_dir = tmp_path / "data"
    variables = environment(ENVIRONMENT="production", DATA_DIR=str(data_dir), **given)
    with started(command, tmp_path, variables) as service:
        assert service.wait() == 1

    assert f"{missing} is required when ENVIRONMENT=production" in service.output
    assert f"set {missing}=" in service.output
    assert "Traceback" not in service.output
    assert "canary" not in service.output
    assert not data_dir.exists()
