"""What a database error means to a caller."""

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import (
    DatabaseTimeout,
    DatabaseUnavailable,
    DomainError,
    EmailTaken,
    StateConflict,
    WriteConflict,
)
from app.db.errors import conflicts, translated_errors


class DriverError(Exception):
    """As asyncpg and psycopg raise them."""

    def __init__(self, sqlstate: str | None, constraint_name: str | None = None) -> None:
        super().__init__("what the driver says")
        self.sqlstate = sqlstate
        self.diag = self
        self.constraint_name = constraint_name


def failed(sqlstate: str | None, *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT 1", {}, DriverError(sqlstate), connection_invalidated=invalidated)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (failed("57014"), DatabaseTimeout),  # statement_timeout
        (failed("55P03"), DatabaseTimeout),  # lock_timeout
        (failed("25P03"), DatabaseTimeout),  # idle_in_transaction_session_timeout
        (failed("40001"), WriteConflict),  # serialization_failure
        (failed("40P01"), WriteConflict),  # deadlock_detected
        (failed("23503"), StateConflict),  # foreign_key_violation
        (failed("23505"), StateConflict),  # unique_violation
        (failed("08006"), DatabaseUnavailable),  # connection_failure
        (failed("28P01"), DatabaseUnavailable),  # invalid_password
        (failed("3D000"), DatabaseUnavailable),  # invalid_catalog_name
        (failed("53300"), DatabaseUnavailable),  # too_many_connections
        (failed("57P01"), DatabaseUnavailable),  # admin_shutdown
        (failed(None), DatabaseUnavailable),
        (failed("42601", invalidated=True), DatabaseUnavailable),
        (PoolTimeoutError(), DatabaseUnavailable),
        (TimeoutError(), DatabaseTimeout),
    ],
)
def test_a_failure_of_the_database_becomes_a_domain_error(error: Exception, meaning: type[DomainError]) -> None:
    with pytest.raises(meaning) as raised, translated_errors():
        raise error

    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [failed("42601"), failed("23514"), failed("22001"), ValueError()])
def test_a_fault_of_our_own_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, translated_errors():
        raise error

    assert raised.value is error


def test_a_known_constraint_is_its_own_conflict_and_another_stays_what_it_is() -> None:
    known = {"uq_users_email_lower": EmailTaken}

    with pytest.raises(EmailTaken), conflicts(known):
        raise IntegrityError("INSERT", {}, DriverError("23505", "uq_users_email_lower"))
    with pytest.raises(IntegrityError), conflicts(known):
        raise IntegrityError("INSERT", {}, DriverError("23505", "another"))
    with pytest.raises(IntegrityError), conflicts(known):
        raise IntegrityError("INSERT", {}, DriverError("23505"))
