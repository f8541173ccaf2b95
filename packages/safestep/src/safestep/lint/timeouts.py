"""What statements do to lock_timeout."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from postgast.pg_query_pb2 import VariableSetKind

from safestep.lint.sql import Statement, constant, ends, find

NAME = "lock_timeout"
LONGEST = 60_000
"""In milliseconds. Nobody who queues behind a migration waits for longer than that."""
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
TIME = re.compile(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(us|ms|s|min|h|d|)\s*")
ARGUMENTS = ("setting_name", "new_value", "is_local")


@dataclass(frozen=True)
class Setting:
    """One change of lock_timeout."""

    value: Any | None
    """The constant or expression; None when it goes back to its default, which may be none."""
    local: bool
    """For the transaction only."""

    @property
    def on(self) -> bool:
        return self.value is not None and (self._is_unknown or _milliseconds(self.value) != 0)

    @property
    def fault(self) -> str | None:
        """Why it bounds nothing, if so."""
        if self._is_unknown:
            return None
        time = _milliseconds(self.value)
        if time is None or time < 0:
            return f"PostgreSQL doesn't take {constant(self.value)!r} for a time."
        if time > LONGEST:
            return f"Everybody who queues behind the lock waits for up to {time // 1000} s."
        return None if time else "0 means to wait for a lock without end."

    @property
    def _is_unknown(self) -> bool:
        """Of an expression nothing is known but that it is there."""
        return self.value is None or constant(self.value) is None


@dataclass
class Timeout:
    """Follows lock_timeout through SET, SET LOCAL, RESET and the ends of transactions."""

    session: bool = False
    local: bool | None = field(default=None)

    @property
    def on(self) -> bool:
        return self.session if self.local is None else self.local

    def follow(self, statement: Statement) -> None:
        if ends(statement.node):
            self.local = None
        for setting in settings(statement):
            if not setting.local:
                self.session, self.local = setting.on, None
            elif statement.transaction is not None:
                self.local = setting.on


def settings(statement: Statement) -> list[Setting]:
    """What the statement sets for its own session, in order."""
    node = statement.node
    if statement.kind == "VariableSetStmt":
        is_reset = node.kind == VariableSetKind.VAR_RESET_ALL
        return [Setting(None, local=False)] if is_reset else list(_set(node))
    return [made for call in find(node, "FuncCall") for made in _called(call)]


def stored(statement: Statement) -> list[Setting]:
    """What the statement sets for later: of a role, a database, a function or the server."""
    if statement.kind == "VariableSetStmt":
        return []
    return [made for part in find(statement.node, "VariableSetStmt") for made in _set(part)]


def _set(node: Any) -> Iterator[Setting]:
    if node.name.lower() == NAME:
        is_value = node.kind == VariableSetKind.VAR_SET_VALUE
        yield Setting(node.args[0] if is_value else None, node.is_local)


def _called(call: Any) -> Iterator[Setting]:
    """`set_config(…)`, whose arguments may stand in order or have names."""
    if call.funcname[-1].string.sval != "set_config":
        return
    given = dict(zip(ARGUMENTS, call.args, strict=False))
    named = [argument.named_arg_expr for argument in call.args if argument.HasField("named_arg_expr")]
    given |= {argument.name: argument.arg for argument in named}
    if len(given) == len(ARGUMENTS) and (constant(given["setting_name"]) or "").lower() == NAME:
        yield Setting(given["new_value"], constant(given["is_local"]) == "true")


def _milliseconds(value: Any) -> int | None:
    """Of a constant, rounded as PostgreSQL does: half a millisecond is no timeout. None for what is no time."""
    found = TIME.fullmatch(constant(value) or "")
    try:
        return round(float(found[1]) * UNITS[found[2] or "ms"]) if found else None
    except (OverflowError, ValueError):
        return None
