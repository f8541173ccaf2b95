"""Databases that are there for a moment."""

import asyncio
from collections.abc import Collection
from typing import Self
from uuid import uuid4

from sqlalchemy.engine import URL

from safestep.connections import execute


class ScratchDatabase:
    """An empty database for the length of a `with` block. The server's role must be allowed to create databases."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self._name = f"safestep_scratch_{uuid4().hex[:12]}"

    def __enter__(self) -> URL:
        asyncio.run(execute(self._server, f'CREATE DATABASE "{self._name}"'))
        return self._server.set(database=self._name)

    def __exit__(self, *_: object) -> None:
        asyncio.run(execute(self._server, f'DROP DATABASE "{self._name}" WITH (FORCE)'))


class ScratchRoles:
    """Other names for roles, which nobody else has; roles of these names are dropped when the `with` block ends.

    The block has to drop the databases first in which they own something. The server's role must be allowed to create
    roles.
    """

    def __init__(self, server: URL, names: Collection[str]) -> None:
        self._server = server
        self._others = {name: f"safestep_scratch_{uuid4().hex[:12]}" for name in names}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for other in self._others.values():
            asyncio.run(execute(self._server, f'DROP ROLE IF EXISTS "{other}"'))

    def disguised(self, text: str) -> str:
        """The text with the other names."""
        for name, other in self._others.items():
            text = text.replace(name, other)
        return text

    def restored(self, text: str) -> str:
        """The text with the names of their own."""
        for name, other in self._others.items():
            text = text.replace(other, name)
        return text
