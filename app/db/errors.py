"""Translates errors of the database drivers into domain errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from asyncpg.exceptions import InvalidCachedStatementError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import DatabaseTimeout, DatabaseUnavailable, DomainError, StateConflict, WriteConflict
from app.core.metrics import DATABASE_ERRORS

CHANGED_RESULT = "cached plan must not change result type"

READ_ONLY = "25006"
"""The SQLSTATE of a write on a standby."""

# By the beginning of the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: tuple[tuple[type[DomainError], tuple[str, ...]], ...] = (
    (DatabaseTimeout, ("57014", "55P03", "25P03")),
    (WriteConflict, ("40001", "40P01")),
    (StateConflict, ("23503", "23505", "23P01")),
    (DatabaseUnavailable, ("08", "28", "3D", "53", "57P01", "57P02", "57P03", "57P05", READ_ONLY)),
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns what the database raises into domain errors; an error in our own SQL passes through."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, TimeoutError) as error:
        if meaning := _meaning(error):
            DATABASE_ERRORS.labels(meaning.code).inc()
            raise meaning from error
        raise


@contextmanager
def conflicts(by_constraint: Mapping[str, type[DomainError]]) -> Iterator[None]:
    """Around a flush: a violation of a constraint named here becomes its domain error."""
    try:
        yield
    except IntegrityError as error:
        if conflict := by_constraint.get(_violated_constraint(error) or ""):
            raise conflict from error
        raise


def _meaning(error: Exception) -> type[DomainError] | None:
    if isinstance(error, PoolTimeoutError):
        return DatabaseUnavailable
    if not isinstance(error, DBAPIError):
        return DatabaseTimeout
    state = sqlstate(error)
    if (
        error.connection_invalidated or is_stale_plan(error.orig) or state is None
    ):  # psycopg gives no state for a server that isn't there
        return DatabaseUnavailable
    return next((meaning for meaning, states in _BY_STATE if state.startswith(states)), None)


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def is_stale_plan(error: BaseException | None) -> bool:
    """Whether a driver says so of a statement that was prepared before the table that it reads was changed.

    PostgreSQL refuses it when a column of its result has another type now. asyncpg has an error of its own for that;
    the state of PostgreSQL's, 0A000, stands for other things as well, so its text has to tell.
    """
    cause = getattr(error, "__cause__", None)
    return isinstance(cause, InvalidCachedStatementError) or CHANGED_RESULT in str(error)


def _violated_constraint(error: DBAPIError) -> str | None:
    diagnostics = getattr(error.orig, "diag", None) or getattr(error.orig, "__cause__", None)
    return getattr(diagnostics, "constraint_name", None)
