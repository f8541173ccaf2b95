"""What every table shares: the metadata with its naming convention, and the mixins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, MetaData, func, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

# Constraint names are part of the contract: repos translate violations by name, migrations drop by name.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


PRIVATE = {"private": True}
"""`info` of a column whose values the audit log masks."""
UNRECORDED = {"unrecorded": True}
"""`info` of a column whose changes the audit log doesn't tell."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    __audited__ = True  # whether the audit log records changes (app/db/audit_triggers.py)
    # The entity whose id is the first column of the primary key, if the log tells changes of a row as changes of it.
    __part_of__: ClassVar[str | None] = None
    # Values the database makes come back with the INSERT or UPDATE: a later read of them would be hidden I/O.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy reads a plain dict here
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy reads a plain dict here


class IdMixin:
    """UUIDv7 made by the application: sortable by time, not enumerable, the same on every PostgreSQL version."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class TimestampMixin:
    """When the row was made and last changed, by the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=98)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=99)


def set_columns(row: Base, values: Mapping[str, Any]) -> None:
    """Sets columns of a row; AttributeError for a name that the table doesn't have, which SQLAlchemy would ignore."""
    known = inspect(type(row)).attrs
    for name, value in values.items():
        if name not in known:
            raise AttributeError(f"{type(row).__name__} has no column {name}")
        setattr(row, name, value)
