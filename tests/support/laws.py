"""The laws of the house that no linter knows, as functions from a source file to its violations."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

STATEMENTS = frozenset({"select", "insert", "update", "delete", "union", "union_all", "exists", "merge", "lambda_stmt"})
SYNCHRONOUS = frozenset({"create_engine", "sessionmaker", "scoped_session", "Session"})
SESSIONS = frozenset({"async_sessionmaker", "async_scoped_session", "AsyncSession"})
HANDMADE_TOKENS = frozenset({"jwt", "jose", "python_jwt", "jwcrypto"})

FUNCTION_LINES = 40
FILE_LINES = 300

_EMPTY_NAME = re.compile(r"util|helper|manager", re.IGNORECASE)
_EXEMPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*(cover|branch)|ruff:|mypy:|fmt:)(?P<rest>.*)")
_EXPLAINED = re.compile(r"^(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w, -]+\])?\s*[-#]\s*\w+( \S+)+")


@dataclass(frozen=True)
class Source:
    """One file: where it stands in the repository, and what it says."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: {"sa": "sqlalchemy", "select": "sqlalchemy.select"}."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def is_in(self, *places: str) -> bool:
        return self.path.startswith(places)

    def calls(self) -> Iterator[tuple[int, str, str]]:
        """Line, full name and last name of what is called: `sa.select(…)` is sqlalchemy.select."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                written = ast.unparse(node.func)
                first, dot, rest = written.partition(".")
                full = self.imports.get(first, first) + dot + rest
                yield node.lineno, full, full.rpartition(".")[2]


type Law = Callable[[Source], Iterator[str]]


def sources(*folders: str) -> list[Source]:
    """Every Python file below these folders of the repository."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return [Source(file.relative_to(ROOT).as_posix(), file.read_text()) for file in files]


def commits_live_in_the_session_layer(source: Source) -> Iterator[str]:
    """`begin()` ends in a commit too; below app/db it serves migrations and scratch databases."""
    for line, _, name in source.calls():
        if name in ("commit", "rollback") and not source.is_in("app/db/session.py"):
            yield f"line {line}: {name}()"
        if name in ("begin", "begin_nested") and not source.is_in("app/db/", "app/rehearsal.py"):
            yield f"line {line}: {name}()"


def statements_live_in_repos(source: Source) -> Iterator[str]:
    """app/db is infrastructure: it may say `text("CREATE DATABASE …")`, and nothing of the tables.

    A rehearsal writes its SQL by hand, because the deployed schema may be older than the models.
    """
    for line, full, name in source.calls():
        of_sqlalchemy = full.startswith("sqlalchemy.") or "__table__" in full
        if of_sqlalchemy and name in STATEMENTS and not source.is_in("app/repos/"):
            yield f"line {line}: {name}()"
        if full.startswith("sqlalchemy.") and name == "text" and not source.is_in("app/db/", "app/rehearsal.py"):
            yield f"line {line}: text()"
        if name == "exec_driver_sql":
            yield f"line {line}: exec_driver_sql()"


def services_make_no_rows(source: Source) -> Iterator[str]:
    """Repos make rows, so that services know no SQLAlchemy in fact, not only in imports."""
    if source.is_in("app/services/"):
        made = ((line, name) for line, full, name in source.calls() if full.startswith("app.db.models."))
        yield from (f"line {line}: {name}()" for line, name in made)


def http_exceptions_live_in_the_api(source: Source) -> Iterator[str]:
    if source.is_in("app/api/"):
        return
    yield from (f"imports {full}" for full in source.imports.values() if full.endswith(".HTTPException"))
    yield from (f"line {line}: {full}" for line, full, name in source.calls() if name == "HTTPException")


def nothing_is_caught_broadly(source: Source) -> Iterator[str]:
    """But in the last resort, and where the same exception is raised again."""
    if source.is_in("app/api/middleware.py"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = {"BaseException"} if node.type is None else set(ast.unparse(node.type).strip("()").split(", "))
            last = node.body[-1]
            raised_again = isinstance(last, ast.Raise) and last.exc is None
            if caught & {"Exception", "BaseException"} and not raised_again:
                yield f"line {node.lineno}: except {', '.join(sorted(caught))}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = {ast.unparse(argument) for argument in node.args}
            yield from (f"line {node.lineno}: suppress({name})" for name in caught & {"Exception", "BaseException"})


def everything_is_asynchronous(source: Source) -> Iterator[str]:
    for line, full, name in source.calls():
        if name == "query":
            yield f"line {line}: the legacy query()"
        if full.startswith("sqlalchemy.") and name in SYNCHRONOUS:
            yield f"line {line}: {full}()"
    for name, full in source.imports.items():
        if full == "sqlalchemy.orm.Session" and source.is_in("app/db/commit.py"):
            continue  # the class that every AsyncSession drives: it notes when it takes a connection
        if full.startswith("sqlalchemy.") and full.rpartition(".")[2] in SYNCHRONOUS:
            yield f"imports {full} as {name}"


def sessions_are_made_in_one_place(source: Source) -> Iterator[str]:
    for line, _, name in source.calls():
        if name in SESSIONS and not source.is_in("app/db/session.py"):
            yield f"line {line}: {name}()"
        if name == "create_async_engine" and not source.is_in("app/db/"):
            yield f"line {line}: {name}()"


def tokens_are_made_by_the_library(source: Source) -> Iterator[str]:
    modules = {full.partition(".")[0] for full in source.imports.values()}
    yield from (f"imports {module}" for module in sorted(modules & HANDMADE_TOKENS))
    if {"hmac", "base64"} <= modules:
        yield "hmac and base64 in one module: a token made by hand"


def names_say_something(source: Source) -> Iterator[str]:
    if _EMPTY_NAME.search(source.path.removeprefix("app/")):
        yield f"the module {source.path}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _EMPTY_NAME.search(node.name):
            yield f"line {node.lineno}: {node.name}"


def nothing_is_long(source: Source) -> Iterator[str]:
    if (lines := len(source.text.splitlines())) > FILE_LINES:
        yield f"{lines} lines"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def middleware_is_pure(source: Source) -> Iterator[str]:
    """BaseHTTPMiddleware copies streams and contexts, and hides cancellations."""
    yield from (f"imports {full}" for full in source.imports.values() if "BaseHTTPMiddleware" in full)
    for line, _, name in source.calls():
        if name in ("BaseHTTPMiddleware", "middleware"):
            yield f"line {line}: {name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and any("BaseHTTPMiddleware" in ast.unparse(base) for base in node.bases):
            yield f"line {node.lineno}: {node.name}"


def exemptions_are_explained(source: Source) -> Iterator[str]:
    """`# noqa: S101 - why`: one line at a time, with the rule's name and at least two words."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (found := _EXEMPTION.search(token.string)):
            if found[1].startswith(("ruff", "mypy", "fmt")):
                yield f"line {token.start[0]}: a whole file or block is exempt: {token.string}"
            elif not _EXPLAINED.match(found["rest"]):
                yield f"line {token.start[0]}: {token.string}"


LAWS: tuple[Law, ...] = (
    commits_live_in_the_session_layer,
    statements_live_in_repos,
    services_make_no_rows,
    http_exceptions_live_in_the_api,
    nothing_is_caught_broadly,
    everything_is_asynchronous,
    sessions_are_made_in_one_place,
    tokens_are_made_by_the_library,
    names_say_something,
    nothing_is_long,
    middleware_is_pure,
    exemptions_are_explained,
)
