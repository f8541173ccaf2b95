"""Connections through both drivers, and what their errors become."""

import subprocess
import sys

import pytest
from alembic.util import CommandError
from safestep.connections import DatabaseFailure, connect_args, engine, first_line, one_line_errors
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, PendingRollbackError

URL_WITH_PASSWORD = make_url("postgresql+asyncpg://ada:canary@db.example/shop")
WHERE = r"\(postgresql\+asyncpg://ada:\*\*\*@db\.example/shop: "


class FromServer(Exception):
    """A driver's error."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("the reason\nDETAIL: Key (email)=(ada@example.com)")
        self.sqlstate = sqlstate


def failed(sqlstate: str | None) -> DBAPIError:
    return DBAPIError("INSERT …", None, FromServer(sqlstate))


@pytest.mark.parametrize(
    ("sqlstate", "sentence"),
    [
        ("57014", "The database took too long"),
        ("55P03", "The database took too long"),
        ("40P01", "A concurrent change got in the way"),
        ("23505", "The change contradicts what is stored"),
        ("08006", "The database can't be reached"),
        ("57P01", "The database can't be reached"),
        (None, "The database can't be reached"),
    ],
)
def test_what_the_database_does_is_one_line_without_a_password_or_data(sqlstate: str | None, sentence: str) -> None:
    with (
        pytest.raises(DatabaseFailure, match=rf"^{sentence}.*{WHERE}the reason\)$"),
        one_line_errors(URL_WITH_PASSWORD),
    ):
        raise failed(sqlstate)


def test_a_fault_of_the_sql_stays_as_it_is() -> None:
    with pytest.raises(DBAPIError), one_line_errors(URL_WITH_PASSWORD):
        raise failed("42601")


def test_of_a_transaction_that_was_lost_the_first_error_counts() -> None:
    def lose() -> None:
        try:
            raise failed("57P01")
        except DBAPIError:
            raise PendingRollbackError("Can't reconnect until invalid transaction is rolled back.")  # noqa: B904 - as Alembic's own, it has a context and no cause

    with pytest.raises(DatabaseFailure, match="can't be reached"), one_line_errors(URL_WITH_PASSWORD):
        lose()


def test_a_network_that_is_silent_is_one_line_too() -> None:
    line = rf"^The database took too long.*{WHERE}TimeoutError\)$"
    with pytest.raises(CommandError, match=line), one_line_errors(URL_WITH_PASSWORD):
        raise TimeoutError


def test_an_error_without_words_shows_its_type() -> None:
    assert first_line(KeyError()) == "KeyError"


async def test_server_parameters_reach_the_session(live_url: URL) -> None:
    arguments = connect_args(live_url, {"application_name": "somebody", "lock_timeout": "1234"})
    async with engine(live_url, arguments) as opened, opened.connect() as connection:
        row = await connection.execute(
            text("SELECT current_setting('application_name'), current_setting('lock_timeout')")
        )
        assert tuple(row.one()) == ("somebody", "1234ms")


def test_what_a_revision_imports_loads_no_tool() -> None:
    program = "import sys, safestep; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not {"rich", "typer", "postgast", "asyncpg", "psycopg", "pgfolder"} & set(done.stdout.split())
