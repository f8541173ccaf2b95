"""`postern serve` on a database that refuses it: a failed start. Only a server that isn't there yet is waited for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pgfolder.server import EmbeddedPostgres
from sqlalchemy.engine import URL, make_url

from tests.conftest import DRIVERS
from tests.support.database import ask
from tests.support.process import POSTERN, environment, started

REFUSALS = {
    "password": ({"username": "ada", "password": "canary"}, "password authentication failed for user"),
    "role": ({"username": "nobody_here"}, "nobody_here"),
    "database": ({"database": "nowhere"}, 'database "nowhere" does not exist'),
}


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """One that asks Ada for her password, unlike those of the other tests."""
    folder = Path(tempfile.mkdtemp(prefix="postern-refusals-"))
    folder.chmod(0o755)  # root's server runs as another user, who has to enter
    with EmbeddedPostgres(folder / "server") as postgres:
        url = make_url(postgres.url("postgres"))
        rules = Path(ask(url, "SHOW hba_file")[0][0])
        rules.write_text(f"host all ada all scram-sha-256\nlocal all ada scram-sha-256\n{rules.read_text()}")
        ask(url, "CREATE ROLE ada LOGIN PASSWORD 'hers'")
        ask(url, "SELECT pg_reload_conf()")
        yield url
    shutil.rmtree(folder)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wrong", REFUSALS)
def test_a_wrong_password_role_or_database_ends_the_start_in_one_line(
    tmp_path: Path, server: URL, driver: str, wrong: str
) -> None:
    parts, said = REFUSALS[wrong]
    url = server.set(drivername=f"postgresql+{driver}", **parts)
    with started(POSTERN, tmp_path, environment(url)) as service:
        assert service.wait() == 1

    (line,) = service.output.splitlines()
    assert line.startswith(f"postern: postgresql+{driver}://")
    assert said in line
    assert "canary" not in line


def test_with_psycopg_too_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    variables = environment(DATABASE_URL="postgresql+psycopg://ada:canary@127.0.0.1:1/postern")
    with started(POSTERN, tmp_path, variables) as service:
        assert service.get("/api/v1/users") == 503

    assert "revision_unknown" in service.output
