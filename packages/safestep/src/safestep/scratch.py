"""Databases that are there for a moment."""

import asyncio
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
