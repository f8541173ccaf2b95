"""No error shows anything of our insides, in the answer or in the log."""

from datetime import UTC, datetime

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from app.api.deps import WriteSession
from app.core.errors import UserNotFound
from app.db.models.one_time_token import OneTimeToken
from app.main import create_app
from tests.support.answers import assert_problem
from tests.support.application import client_of, make_settings, running
from tests.support.loglines import logged
from tests.support.users import new_user

EMAIL = "canary.ada@example.com"
PASSWORD = "canary-password-0123"
CANARIES = {
    "SQL": "SELECT canary_column FROM canary_table",
    "path": "/srv/canary/secrets.py",
    "secret": "canary-secret-0123456789",
    "e-mail": EMAIL,
    "bearer": "canary.bearer.token",
    "database": "canary-host.internal",
    "password": PASSWORD,
}
QUOTING = (
    f"{CANARIES['SQL']} in {CANARIES['path']} with {CANARIES['secret']} of {EMAIL}, Authorization: Bearer "
    f"{CANARIES['bearer']} at postgresql+asyncpg://ada:{PASSWORD}@{CANARIES['database']}/postern"
)


def leaked(text: str) -> list[str]:
    return [name for name, canary in CANARIES.items() if canary in text]


async def test_a_fault_never_quotes_what_was_sent(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/api/v1/users", json={"email": f"{EMAIL} {PASSWORD}", "name": [CANARIES["secret"]], "is_active": PASSWORD}
    )

    assert_problem(response, 422, "validation_failed")
    assert leaked(response.text) == []


def failing(app: FastAPI) -> FastAPI:
    """The application with routes that fail in every way a bug can."""

    @app.get("/quoting")
    async def quoting() -> None:
        raise RuntimeError(QUOTING)

    @app.get("/chained")
    async def chained() -> None:
        try:
            raise OSError(2, QUOTING, CANARIES["path"])
        except OSError as error:
            raise KeyError(QUOTING) from error

    @app.get("/grouped")
    async def grouped() -> None:
        raise ExceptionGroup(QUOTING, [ValueError(QUOTING)])

    @app.get("/integrity")
    async def integrity() -> None:
        raise IntegrityError(CANARIES["SQL"], {"email": EMAIL}, ValueError(QUOTING))

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(403, QUOTING)

    @app.get("/domain")
    async def domain() -> None:
        raise UserNotFound(QUOTING)

    return app


@pytest.mark.parametrize("path", ["/quoting", "/chained", "/grouped", "/integrity", "/http", "/domain"])
@pytest.mark.parametrize("environment", ["development", "test", "production"])
async def test_no_body_shows_what_an_exception_quotes(environment: str, path: str) -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment=environment)
    async with client_of(failing(create_app(settings))) as client:
        response = await client.get(path)

    expected = {"/http": (403, "forbidden"), "/domain": (404, "user_not_found")}
    assert_problem(response, *expected.get(path, (500, "internal_error")))
    assert leaked(response.text + str(response.headers)) == []


@pytest.mark.parametrize("path", ["/quoting", "/chained", "/grouped", "/integrity", "/http", "/domain"])
async def test_no_line_of_productions_log_shows_what_an_exception_quotes(path: str) -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment="production")
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            await client.get(path, headers={"Authorization": f"Bearer {CANARIES['bearer']}"})

    assert lines.named("request")
    assert leaked(lines.getvalue()) == []
    assert "Traceback" not in lines.getvalue()


async def test_outside_production_the_log_has_the_traceback_without_secrets() -> None:
    settings = make_settings()
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            await client.get("/quoting")

    [failure] = lines.named("request_failed")
    assert "Traceback" in failure["exception"]
    assert set(leaked(failure["exception"])) <= {"SQL", "path", "secret", "database"}


async def test_a_failure_is_logged_with_its_type_its_url_and_the_clients_request_id() -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment="production")
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            response = await client.get("/chained?email=ada@example.com")

    [failure] = lines.named("request_failed")
    assert failure["level"] == "error"
    assert failure["error_type"] == "builtins.KeyError"
    assert failure["url"] == "/chained"
    assert failure["request_id"] == response.json()["request_id"]


@pytest.mark.parametrize("environment", ["test", "production"])
async def test_a_violated_constraint_that_nobody_expected_shows_nothing_of_the_row(
    live_url: URL, environment: str
) -> None:
    """PostgreSQL's own message quotes the failing row."""
    settings = make_settings(live_url, environment=environment)
    app = create_app(settings)

    @app.post("/strange")
    async def strange(session: WriteSession) -> None:
        user = new_user(email=EMAIL, password_hash=CANARIES["secret"])
        token = OneTimeToken(
            token_hash=b"x", user_id=user.id, purpose="another", email=EMAIL, expires_at=datetime.now(UTC)
        )
        session.add(user)
        await session.flush()
        session.add(token)
        await session.flush()

    with logged(settings) as lines:
        async with running(live_url, app, environment=environment), client_of(app) as client:
            response = await client.post("/strange")

    assert_problem(response, 500, "internal_error")
    assert leaked(response.text) == []
    assert lines.named("request_failed")[0]["sqlstate"] == "23514"
    if environment == "production":
        assert leaked(lines.getvalue()) == []


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_database_that_is_down_is_a_503_that_shows_nothing_of_it(driver: str, method: str) -> None:
    url = make_url(f"postgresql+{driver}://canary:{PASSWORD}@/postern?host=/nowhere/{CANARIES['database']}")
    settings = make_settings(url, environment="production")
    app = create_app(settings)

    with logged(settings) as lines:
        async with running(url, app, environment="production"), client_of(app) as client:
            response = await client.request(
                method, "/api/v1/users", json={"email": EMAIL} if method == "POST" else None
            )

    assert_problem(response, 503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert leaked(response.text) == []
    assert leaked(lines.getvalue()) == []
    [refusal] = lines.named("request_refused")
    assert refusal["code"] == "database_unavailable"
    assert refusal["error_type"]
