"""What statements do to timeouts, and to other settings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from postgast.pg_query_pb2 import VariableSetKind

from safestep.lint.sql import Statement, constant_text, ends_transaction, find_nodes

NAME = "lock_timeout"
STATEMENT_TIMEOUT = "statement_timeout"
LONGEST = 60_000
"""The longest timeout that passes, in milliseconds: as long may requests queue behind a migration."""
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
TIME = re.compile(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(us|ms|s|min|h|d|)\s*")
ARGUMENTS = ("setting_name", "new_value", "is_local")


@dataclass(frozen=True)
class TimeoutSetting:
    """One change of a setting, of lock_timeout in most cases."""

    value: Any | None
    """The constant or expression; None when it is reset to its default, which may be no timeout."""
    local: bool
    """Whether it ends with the transaction."""

    @property
    def bounds_waiting(self) -> bool:
        return self.value is not None and (self._is_unknown or _milliseconds(self.value) != 0)

    @property
    def is_off(self) -> bool:
        return self.value is not None and not self._is_unknown and _milliseconds(self.value) == 0

    @property
    def objection(self) -> str | None:
        """Why it bounds nothing, or too late; None when it is fine."""
        if self._is_unknown:
            return None
        time = _milliseconds(self.value)
        if time is None or time < 0:
            return f"PostgreSQL doesn't accept {constant_text(self.value)!r} as a time."
        if time > LONGEST:
            return f"Requests that queue behind the lock wait for up to {time // 1000} s."
        return None if time else "0 means no timeout: the statement waits for its lock without end."

    @property
    def _is_unknown(self) -> bool:
        """Whether only running the statement shows the value, because it is an expression."""
        return self.value is None or constant_text(self.value) is None


@dataclass
class LockTimeout:
    """Follows lock_timeout through SET, SET LOCAL, RESET and the ends of transactions."""

    session: bool = False
    local: bool | None = field(default=None)

    @property
    def is_set(self) -> bool:
        return self.session if self.local is None else self.local

    def apply(self, statement: Statement) -> None:
        if ends_transaction(statement.node):
            self.local = None
        for setting in session_settings(statement):
            if not setting.local:
                self.session, self.local = setting.bounds_waiting, None
            elif statement.transaction is not None:
                self.local = setting.bounds_waiting


def session_settings(statement: Statement, name: str = NAME) -> list[TimeoutSetting]:
    """The statement's changes of its own session, in order."""
    node = statement.node
    if statement.kind == "VariableSetStmt":
        is_reset = node.kind == VariableSetKind.VAR_RESET_ALL
        return [TimeoutSetting(None, local=False)] if is_reset else list(_by_set(node, name))
    return [made for call in find_nodes(node, "FuncCall") for made in _by_function(call, name)]


def stored_settings(statement: Statement, name: str = NAME) -> list[TimeoutSetting]:
    """The statement's changes that apply later: to a role, a database, a function or the server."""
    if statement.kind == "VariableSetStmt":
        return []
    return [made for part in find_nodes(statement.node, "VariableSetStmt") for made in _by_set(part, name)]


def _by_set(node: Any, name: str) -> Iterator[TimeoutSetting]:
    if node.name.lower() == name:
        is_value = node.kind == VariableSetKind.VAR_SET_VALUE
        yield TimeoutSetting(node.args[0] if is_value else None, node.is_local)


def _by_function(call: Any, name: str) -> Iterator[TimeoutSetting]:
    """By `set_config(…)`, with its arguments in order or by name."""
    if call.funcname[-1].string.sval != "set_config":
        return
    given = dict(zip(ARGUMENTS, call.args, strict=False))
    named = [argument.named_arg_expr for argument in call.args if argument.HasField("named_arg_expr")]
    given |= {argument.name: argument.arg for argument in named}
    if len(given) == len(ARGUMENTS) and (constant_text(given["setting_name"]) or "").lower() == name:
        yield TimeoutSetting(given["new_value"], constant_text(given["is_local"]) == "true")


def _milliseconds(value: Any) -> int | None:
    """A constant's time, rounded as PostgreSQL rounds: 0.4 ms is 0, no timeout. None when it is no time."""
    found = TIME.fullmatch(constant_text(value) or "")
    try:
        return round(float(found[1]) * UNITS[found[2] or "ms"]) if found else None
    except (OverflowError, ValueError):
        return None
