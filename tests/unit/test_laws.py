"""The laws of the house hold, and each check catches what it is there for."""

import pytest

from tests.support import laws
from tests.support.laws import Law, Source, sources

PLANTED: dict[Law, list[tuple[str, str]]] = {
    laws.commits_live_in_the_session_layer: [
        ("app/services/users.py", "async def f(session):\n    await session.commit()"),
        ("app/repos/users.py", "async def f(self):\n    await self._session.rollback()"),
        ("app/services/users.py", "async def f(session):\n    async with session.begin(): ..."),
    ],
    laws.statements_live_in_repos: [
        ("app/services/users.py", "from sqlalchemy import select\nstatement = select(1)"),
        ("app/db/session.py", "from sqlalchemy import update as change\nstatement = change(Post)"),
        ("app/api/deps.py", "import sqlalchemy as sa\nstatement = sa.delete(Post)"),
        ("app/services/users.py", "from sqlalchemy.dialects.postgresql import insert\nstatement = insert(Post)"),
        ("app/services/users.py", "statement = Post.__table__.insert()"),
        ("app/repos/users.py", "from sqlalchemy import text\nstatement = text('SELECT 1')"),
        ("app/db/session.py", "async def f(connection):\n    await connection.exec_driver_sql('SELECT 1')"),
    ],
    laws.services_make_no_rows: [
        ("app/services/users.py", "from app.db.models.user import User\nuser = User(name='x')"),
        ("app/services/users.py", "from app.db.models.user import User as Row\nrow = Row()"),
    ],
    laws.http_exceptions_live_in_the_api: [
        ("app/services/users.py", "from fastapi import HTTPException"),
        ("app/repos/users.py", "import starlette.exceptions as e\nraise e.HTTPException(404)"),
    ],
    laws.nothing_is_caught_broadly: [
        ("app/api/routes/users.py", "try: ...\nexcept Exception: pass"),
        ("app/services/users.py", "try: ...\nexcept: pass"),
        ("app/services/users.py", "try: ...\nexcept (ValueError, BaseException): raise ValueError"),
        ("app/services/users.py", "from contextlib import suppress\nwith suppress(Exception): ..."),
        ("app/services/users.py", "try: ...\nexcept Exception: pass  # noqa: BLE001 - an excuse is no way out"),
    ],
    laws.everything_is_asynchronous: [
        ("app/repos/users.py", "posts = session.query(Post).all()"),
        ("app/db/session.py", "from sqlalchemy import create_engine\nengine = create_engine(url)"),
        ("app/db/session.py", "import sqlalchemy as sa\nengine = sa.create_engine(url)"),
        ("app/db/session.py", "from sqlalchemy.orm import sessionmaker"),
        ("app/services/users.py", "from sqlalchemy.orm import Session"),
    ],
    laws.sessions_are_made_in_one_place: [
        ("app/services/users.py", "session = AsyncSession(engine)"),
        ("app/api/deps.py", "from sqlalchemy.ext import asyncio\nmake = asyncio.async_sessionmaker(engine)"),
        ("app/cli/imports.py", "engine = create_async_engine(url)"),
    ],
    laws.tokens_are_made_by_the_library: [
        ("app/core/security.py", "import jwt"),
        ("app/core/security.py", "from jose import jws"),
        ("app/core/security.py", "import hmac\nfrom base64 import urlsafe_b64encode"),
    ],
    laws.names_say_something: [
        ("app/core/utils.py", ""),
        ("app/services/users.py", "class PostManager: ..."),
        ("app/services/users.py", "async def date_helper(): ..."),
    ],
    laws.nothing_is_long: [
        ("app/services/users.py", "def f():\n" + "    pass\n" * laws.FUNCTION_LINES),
        ("app/services/users.py", "class A:\n    async def f(self):\n" + "        pass\n" * laws.FUNCTION_LINES),
        ("app/services/users.py", "x = 1\n" * (laws.FILE_LINES + 1)),
    ],
    laws.middleware_is_pure: [
        ("app/api/middleware.py", "from starlette.middleware.base import BaseHTTPMiddleware"),
        (
            "app/api/middleware.py",
            "import starlette.middleware.base as base\nclass Timer(base.BaseHTTPMiddleware): ...",
        ),
        ("app/main.py", "@app.middleware('http')\nasync def timer(request, call_next): ..."),
    ],
    laws.exemptions_are_explained: [
        ("app/main.py", "x = 1  # noqa"),
        ("app/main.py", "x = 1  # noqa: S101"),
        ("app/main.py", "x = 1  # noqa: S101 - because"),
        ("app/main.py", "x = 1  # type: ignore"),
        ("app/main.py", "x = 1  # type: ignore[misc]"),
        ("app/main.py", "x = 1  # pragma: no cover"),
        ("app/main.py", "# ruff: noqa: S101 - all of them, for reasons"),
        ("app/main.py", "# mypy: ignore-errors"),
    ],
}

ALLOWED: dict[Law, list[tuple[str, str]]] = {
    laws.commits_live_in_the_session_layer: [("app/db/session.py", "async def f(s):\n    await s.commit()")],
    laws.statements_live_in_repos: [
        ("app/repos/users.py", "from sqlalchemy import select\nstatement = select(1)"),
        ("app/db/gate.py", "from sqlalchemy import text\nstatement = text('CREATE DATABASE x')"),
        ("app/services/users.py", "fields.update(title='x')\nselection = picker.select(1)"),
    ],
    laws.nothing_is_caught_broadly: [
        ("app/api/middleware.py", "try: ...\nexcept Exception: pass"),
        ("app/db/embedded.py", "try: ...\nexcept BaseException:\n    let_go()\n    raise"),
        ("app/services/users.py", "try: ...\nexcept (ValueError, KeyError): pass"),
    ],
    laws.everything_is_asynchronous: [
        ("app/db/session.py", "url.query\nfrom sqlalchemy.ext.asyncio import AsyncSession")
    ],
    laws.tokens_are_made_by_the_library: [
        ("app/schemas/pages.py", "import base64"),
        ("app/core/security.py", "import joserfc"),
    ],
    laws.nothing_is_long: [("app/main.py", "def f():\n" + "    pass\n" * (laws.FUNCTION_LINES - 1))],
    laws.exemptions_are_explained: [
        ("app/main.py", "x = 1  # noqa: S101, S102 - registered for this type alone"),
        ("app/main.py", "x = 1  # type: ignore[method-assign] - the framework's own way"),
        ("app/main.py", "x = 1  # type: ignore[misc]  # the stubs are wrong here"),
        ("app/main.py", "x = 1  # pragma: no cover - only on macOS"),
        ("app/main.py", "x = '# noqa'"),
    ],
}


def cases(examples: dict[Law, list[tuple[str, str]]]) -> list[tuple[Law, Source]]:
    return [(law, Source(path, text)) for law, planted in examples.items() for path, text in planted]


def name_of(value: object) -> str:
    return getattr(value, "__name__", "").replace("_", " ")


@pytest.mark.parametrize("law", laws.LAWS, ids=name_of)
def test_the_application_keeps_the_law(law: Law) -> None:
    violations = [f"{source.path}: {violation}" for source in sources("app") for violation in law(source)]

    assert violations == []


@pytest.mark.parametrize(("law", "source"), cases(PLANTED), ids=name_of)
def test_a_violation_is_caught(law: Law, source: Source) -> None:
    assert list(law(source)) != []


@pytest.mark.parametrize(("law", "source"), cases(ALLOWED), ids=name_of)
def test_what_is_allowed_passes(law: Law, source: Source) -> None:
    assert list(law(source)) == []


def test_every_law_has_a_violation_planted() -> None:
    assert set(PLANTED) == set(laws.LAWS)


def test_exemptions_are_explained_in_migrations_and_tests_too() -> None:
    elsewhere = [
        source for source in sources("alembic", "tests", "packages") if not source.path.endswith("test_laws.py")
    ]

    assert [f"{each.path}: {fault}" for each in elsewhere for fault in laws.exemptions_are_explained(each)] == []


def test_tests_and_packages_are_short_too() -> None:
    """Revisions that a test reads are data, one statement a line."""
    elsewhere = [source for source in sources("tests", "packages") if "_corpus/" not in source.path]

    assert [f"{each.path}: {fault}" for each in elsewhere for fault in laws.nothing_is_long(each)] == []


def test_revisions_leave_the_transaction_to_alembic() -> None:
    revisions = sources("alembic/versions")

    assert revisions
    assert [name for each in revisions for _, _, name in each.calls() if name in ("commit", "rollback")] == []
