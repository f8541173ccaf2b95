"""The PostgreSQL of a benchmark: kept in a cache folder with its rows, so that the second run starts quickly."""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from argon2 import PasswordHasher
from pgfolder import EmbeddedPostgres, EmbeddedPostgresError
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from benchmarks.compare import rows
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.rows import Size

TEMPLATES, RUNS = "bench_rows_", "bench_run_"
# Commits reach the disk, as in production. What would start on its own in the middle of a measurement doesn't.
OPTIONS = {
    "shared_buffers": "512MB",
    "max_connections": "500",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
COPIES = {
    "users": "(id, email, name, password_hash, email_verified_at, created_at, updated_at)",
    "posts": "(id, author_id, title, slug, body, published_at, created_at, updated_at)",
}
CHUNK = 1000  # lines


class Databases:
    """Databases of a server: filled templates that stay, and copies of them that last as long as the run."""

    def __init__(self, url: URL, pid: int | None) -> None:
        self._url = url
        self.pid = pid
        """The server's process; None when it is somewhere else."""
        self._used: set[str] = set()
        self._lock = self._connect("postgres")
        if not self._lock.execute("SELECT pg_try_advisory_lock(hashtext('benchmarks'))").fetchall()[0][0]:
            raise BenchmarkError("another benchmark uses this database server")
        self._drop(RUNS)  # of a run that was killed

    def version(self) -> str:
        with self._connect("postgres") as connection:
            return str(connection.execute("SHOW server_version").fetchall()[0][0])

    def template(self, python: Path, checkout: Path, size: Size) -> str:
        """The name of a filled database at the checkout's revision; made when there is none."""
        name = f"{TEMPLATES}{size.posts}_{_digest(checkout, size)}"
        self._used.add(name)
        if not self._exists(name):
            draft = f"{RUNS}draft"
            self._execute(f"CREATE DATABASE {draft}")
            _migrate(python, self._address(draft))
            self._fill(draft, size)
            self._execute(f"ALTER DATABASE {draft} RENAME TO {name}")
        return name

    def copy(self, template: str, name: str, *, triggers: bool) -> URL:
        """A copy for this run. Without `triggers` only those of foreign keys fire."""
        name = RUNS + name
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        if not triggers:
            with self._connect(name) as connection:
                connection.execute("ALTER TABLE users DISABLE TRIGGER USER")
                connection.execute("ALTER TABLE posts DISABLE TRIGGER USER")
        return self._url.set(database=name)

    def close(self) -> None:
        """Drops the copies, and templates of other revisions with as many rows as this run's."""
        self._drop(RUNS)
        for name in self._used:
            self._drop(name.rpartition("_")[0] + "_", but=self._used)
        self._lock.close()

    def checkpoint(self) -> None:
        self._execute("CHECKPOINT")

    def _fill(self, name: str, size: Size) -> None:
        secret = PasswordHasher(2, 19 * 1024, parallelism=1).hash(rows.PASSWORD)
        with self._connect(name) as connection:
            # Triggers would record a million rows as changes that nobody made.
            connection.execute("SET session_replication_role = replica")
            _copy(connection, "users", rows.user_lines(size, secret))
            _copy(connection, "posts", rows.post_lines(size))
            connection.execute("VACUUM (FREEZE, ANALYZE)")

    def _exists(self, name: str) -> bool:
        return name in self._names(name)

    def _names(self, prefix: str) -> list[str]:
        with self._connect("postgres") as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
            return [name for (name,) in found]

    def _drop(self, prefix: str, *, but: Iterable[str] = ()) -> None:
        for name in set(self._names(prefix)) - set(but):
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(statement.encode())

    def _address(self, name: str) -> URL:
        return self._url.set(database=name)

    def _connect(self, name: str) -> psycopg.Connection:
        try:
            return psycopg.connect(dsn(self._address(name)), autocommit=True)
        except psycopg.OperationalError as error:
            raise BenchmarkError(f"no connection to the database: {str(error).strip().splitlines()[-1]}") from error


@contextmanager
def databases(cache: Path, server: str | None) -> Iterator[Databases]:
    """Those of a server that is already there (its URL), or of one in the cache folder."""
    if server:
        found = Databases(make_url(server), None)
        try:
            yield found
        finally:
            found.close()
        return
    try:
        with EmbeddedPostgres(cache / "postgres", options=OPTIONS) as embedded:
            found = Databases(make_url(embedded.url()), embedded.pid)
            try:
                yield found
            finally:
                found.close()
    except EmbeddedPostgresError as error:
        raise BenchmarkError(f"{error} (or set BENCH_DATABASE_URL)") from error


def dsn(url: URL) -> str:
    """The address as libpq, asyncpg and node-postgres take it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _copy(connection: psycopg.Connection, table: str, lines: Iterable[str]) -> None:
    statement = sql.SQL("COPY {} " + COPIES[table] + " FROM STDIN").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as copy:
        chunk: list[str] = []
        for line in lines:
            chunk.append(line)
            if len(chunk) == CHUNK:
                copy.write("".join(chunk))
                chunk.clear()
        copy.write("".join(chunk))


def _migrate(python: Path, url: URL) -> None:
    address = url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    done = subprocess.run(
        [python, "-m", "app.cli.main", "db", "upgrade"],
        env={"DATABASE_URL": address, "ENVIRONMENT": "development"},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode:
        raise BenchmarkError(f"the migration of an empty database failed:\n{done.stderr.strip()[-2000:]}")


def _digest(checkout: Path, size: Size) -> str:
    """Of what a template is made from: the rows, and the revisions."""
    found = hashlib.sha256(f"{rows.FORMAT} {size.users} {size.posts}".encode())
    for file in sorted((checkout / "alembic" / "versions").glob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]
