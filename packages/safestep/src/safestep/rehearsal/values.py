"""A value for every kind of column, as an SQL expression over the number `n` of the row, counted from 1."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, types
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine

DAYS = 1000  # how far back the oldest row was made

HASH = "(hashint8(n * 7919 + {salt})::bigint & 2147483647)"

_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_AT_LEAST = re.compile(r">(=?) \(*'?(-?\d+)'?")
_AT_MOST = re.compile(r"<(=?) \(*'?(-?\d+)'?")
_ONE_OF = re.compile(r"^\(+\"?\w+\"?\)*(::[\w ]+)? = (ANY|'|\()")


@dataclass(frozen=True)
class CheckConstraint:
    """A CHECK constraint: its expression as the server prints it, and the columns in it."""

    sql: str
    columns: tuple[str, ...]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def value(column: Column[Any], checks: Sequence[CheckConstraint], position: int) -> str | None:
    """None when no value is known for this type. Different rows get different values where the type has room."""
    own = [check.sql for check in checks if check.columns == (column.name,)]
    for check in own:
        if _ONE_OF.match(check) and (allowed := _LITERAL.findall(check)):
            return _choice([f"'{each}'" for each in allowed])
    if isinstance(column.type, types.Integer):
        return _integer(column.type, own)
    return _of_type(column.type, column.name, position)


def _choice(options: Sequence[str]) -> str:
    return f"(ARRAY[{', '.join(options)}])[1 + n % {len(options)}]"


def _integer(kind: types.Integer, checks: Sequence[str]) -> str:
    """Within the bounds of the type and of simple checks."""
    low, high = 1, 32_000 if isinstance(kind, types.SmallInteger) else 2_000_000_000
    for check in checks:
        if found := _AT_LEAST.search(check):
            low = max(low, int(found[2]) + (not found[1]))
        if found := _AT_MOST.search(check):
            high = min(high, int(found[2]) - (not found[1]))
    low = min(low, high)
    return f"{low} + (n - 1) % {high - low + 1}"


def _of_type(kind: TypeEngine[Any], name: str, position: int) -> str | None:
    if isinstance(kind, pg.DOMAIN):
        return _of_type(kind.data_type, name, position)
    if isinstance(kind, types.Integer):
        return _integer(kind, ())
    if isinstance(kind, types.ARRAY):
        item = _of_type(kind.item_type, name, position)
        return item and f"ARRAY[{item}]"
    if isinstance(kind, types.String):  # an enum is one too
        return _choice([quoted(each) for each in kind.enums]) if isinstance(kind, types.Enum) else _text(kind, name)
    return next((make(kind, position) for known, make in _BY_TYPE if isinstance(kind, known)), None)


def _text(kind: types.String, name: str) -> str:
    """The number stands at the end, which is what is kept where there is little room."""
    text = f"{quoted(name + ' ')} || n"
    return f"right({text}, {kind.length})" if kind.length else text


def _moment(position: int) -> str:
    """Spread over the past and in the order of the rows; a column further right is a moment later."""
    past = f"make_interval(secs => {DAYS * 86400} * (1 - n::float8 / greatest(total, n)))"
    return f"(now() - {past} + make_interval(secs => {position}))"


def _uuid(position: int) -> str:
    """Like version 7: ordered by time, so that an index over it grows at its end, as in production."""
    digits = f"md5(n || '-{position}-' || seed)"
    millis = f"lpad(to_hex((extract(epoch FROM {_moment(0)}) * 1000)::bigint), 12, '0')"
    return f"({millis} || '7' || substr({digits}, 1, 3) || '8' || substr({digits}, 4, 15))::uuid"


def _number(kind: types.Numeric[Any]) -> str:
    return f"n % {10 ** min((kind.precision or 15) - (kind.scale or 0), 15)}"


_BY_TYPE: list[tuple[Any, Callable[[Any, int], str]]] = [
    (types.Float, lambda *_: "n"),
    (types.Numeric, lambda kind, _: _number(kind)),
    (pg.BIT, lambda kind, _: f"n::bit({kind.length or 1})"),
    (types.Boolean, lambda *_: "n % 2 = 0"),
    (types.Uuid, lambda _, position: _uuid(position)),
    ((types.DateTime, pg.TIMESTAMP), lambda _, position: _moment(position)),
    (types.Date, lambda *_: "date '1900-01-01' + (n % 1000000)::int"),
    (types.Time, lambda *_: "time '00:00' + make_interval(secs => n % 86400)"),
    ((types.Interval, pg.INTERVAL), lambda *_: "make_interval(secs => n)"),
    (types.LargeBinary, lambda _, position: f"sha256(convert_to(n || '-{position}-' || seed, 'UTF8'))"),
    (pg.JSONB, lambda *_: "jsonb_build_object('n', n)"),
    (types.JSON, lambda *_: "json_build_object('n', n)"),
    (pg.INET, lambda *_: "inet '10.0.0.0' + n % 16777216"),
    (pg.CIDR, lambda *_: "cidr(inet '10.0.0.0' + n % 16777216)"),
    (pg.MACADDR, lambda *_: "lpad(to_hex(n), 12, '0')::macaddr"),
    (pg.MACADDR8, lambda *_: "lpad(to_hex(n), 16, '0')::macaddr8"),
    (pg.TSVECTOR, lambda *_: "to_tsvector('simple', 'word ' || n)"),
    (pg.MONEY, lambda *_: "(n % 1000000)::money"),
    (pg.OID, lambda *_: "n::oid"),
    (pg.TSTZRANGE, lambda _, position: f"tstzrange({_moment(position)}, NULL)"),
    (pg.TSRANGE, lambda _, position: f"tsrange({_moment(position)}::timestamp, NULL)"),
    (pg.DATERANGE, lambda *_: "daterange(date '1900-01-01' + (n % 1000000)::int, NULL)"),
    (pg.INT4RANGE, lambda *_: "int4range(n::int, n::int + 1)"),
    (pg.INT8RANGE, lambda *_: "int8range(n, n + 1)"),
    (pg.NUMRANGE, lambda *_: "numrange(n, n + 1)"),
]
