"""What the log says, and what it never says."""

import asyncio
import json
import logging
from time import process_time
from typing import Any

import pytest
import structlog

from app.api.middleware import RequestLayer
from app.core.context import request_context
from app.core.logs import MASK, configure_logging, describe_error, mask
from tests.support.application import make_settings
from tests.support.loglines import logged

CANARY = "canary-0123456789"
PRODUCTION = {"environment": "production", "database_url": "postgresql+asyncpg://db/postern"}


def masked(**event: Any) -> dict[str, Any]:
    return dict(mask(None, "", event))


TELLING = """
    password passwd new_password secret SECRET_KEYS token access_token authorization Authorization cookie set-cookie
    api_key apikey x-api-key dsn database_url email e_mail e-mail author_email
"""


@pytest.mark.parametrize("key", TELLING.split())
def test_the_value_of_a_telling_key_is_masked(key: str) -> None:
    assert masked(**{key: CANARY}) == {key: MASK}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.com", MASK),
        ("mail to Ada.B+c@mail.example.co.uk failed", f"mail to {MASK} failed"),
        ("/search?q=ada%40example.com", f"/search?q={MASK}"),
        (f"postgresql+asyncpg://ada:{CANARY}@db/postern", f"postgresql+asyncpg://{MASK}@db/postern"),
        (f"Authorization: Bearer {CANARY}", f"Authorization: Bearer {MASK}"),
        (f"basic {CANARY}", f"basic {MASK}"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here", f"got {MASK} here"),
        ("GET /api/v1/posts?limit=2", "GET /api/v1/posts?limit=2"),
        ("app.repos.posts:42", "app.repos.posts:42"),
    ],
)
def test_what_looks_personal_or_secret_is_masked_in_any_text(text: str, expected: str) -> None:
    assert masked(detail=text) == {"detail": expected}


def test_what_is_inside_of_lists_and_tables_is_masked_too() -> None:
    event = masked(rows=[{"email": CANARY, "n": 1}, ("ada@example.com", 2)])

    assert event == {"rows": [{"email": MASK, "n": 1}, [MASK, 2]]}


def test_an_error_is_described_by_its_type_and_place() -> None:
    try:
        make_settings(db_pool_size="many")
    except Exception as error:  # noqa: BLE001 - the type is what is looked at
        described = describe_error(error)

    assert described["error_type"] == "app.core.errors.InvalidSettings"
    assert described["error_at"].startswith("app.core.config:")


@pytest.mark.parametrize("logger", ["uvicorn.error", "asyncio", "sqlalchemy.pool", "somebody.else"])
def test_in_production_no_library_writes_an_error_into_the_log(logger: str) -> None:
    with logged(make_settings(**PRODUCTION)) as lines:
        try:
            raise RuntimeError(CANARY)
        except RuntimeError:
            logging.getLogger(logger).exception("it failed\nexception=%r", CANARY)

    [event] = lines.events
    assert event["event"] == "it failed"
    assert event["error_type"] == "builtins.RuntimeError"
    assert CANARY not in lines.getvalue()


def test_in_production_a_traceback_that_comes_as_a_message_keeps_only_its_type() -> None:
    with logged(make_settings(**PRODUCTION)) as lines:
        logging.getLogger("uvicorn.error").error("Traceback (most recent call last):\n  ...\nOSError: %s", CANARY)

    assert lines.events[0]["error_type"] == "OSError"
    assert CANARY not in lines.getvalue()


def test_in_production_our_own_exceptions_leave_no_traceback_either() -> None:
    with logged(make_settings(**PRODUCTION)) as lines:
        try:
            raise RuntimeError(CANARY)
        except RuntimeError:
            structlog.get_logger("app").exception("it_failed")

    assert lines.events[0]["error_type"] == "builtins.RuntimeError"
    assert "exception" not in lines.events[0]
    assert CANARY not in lines.getvalue()


def test_outside_production_the_traceback_is_there() -> None:
    with logged(make_settings()) as lines:
        try:
            raise RuntimeError(CANARY)
        except RuntimeError:
            structlog.get_logger("app").exception("it_failed")

    assert "Traceback" in lines.events[0]["exception"]
    assert CANARY in lines.events[0]["exception"]


def test_uvicorns_access_log_is_silent() -> None:
    with logged(make_settings()) as lines:
        logging.getLogger("uvicorn.access").error("GET /")
        logging.getLogger("uvicorn.error").info("Started server process")

    assert [event["event"] for event in lines.events] == ["Started server process"]


@pytest.mark.parametrize(("level", "expected"), [("INFO", []), ("DEBUG", ["internals"])])
def test_internals_are_logged_at_debug(level: str, expected: list[str]) -> None:
    with logged(make_settings(log_level=level)) as lines:
        structlog.get_logger("app.anything").debug("internals")

    assert [event["event"] for event in lines.events] == expected


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(make_settings())
    structlog.get_logger("app").info("here")

    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["event"] == "here"


def test_people_get_lines_instead_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(make_settings(log_format="console"))
    with request_context("0123456789"):
        structlog.get_logger("app").info("here", answer=42)
    err = capsys.readouterr().err
    configure_logging(make_settings())

    assert "here" in err
    assert "answer=42" in err
    assert "request_id=0123456789" in err


@pytest.mark.parametrize("path", ["/\x1b[2J\x1b[31m", "/a\nevent=admitted", "/a\rb", "/\u202ecod", "/\x9b31m", "/\x7f"])
def test_what_people_read_has_no_control_characters_of_clients(capsys: pytest.CaptureFixture[str], path: str) -> None:
    configure_logging(make_settings(log_format="console"))
    structlog.get_logger("app").info("request", path=path)
    logging.getLogger("somebody.else").warning("no such path: %s", path)
    err = capsys.readouterr().err
    configure_logging(make_settings())

    assert err.count("\n") == 2
    assert err.replace("\n", "").isprintable()


def test_what_people_read_keeps_the_lines_of_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(make_settings(log_format="console"))
    try:
        raise RuntimeError("\x1b[2J")
    except RuntimeError:
        structlog.get_logger("app").exception("it_failed")
    err = capsys.readouterr().err
    configure_logging(make_settings())

    assert len(err.splitlines()) > 3
    assert "\x1b" not in err


LONG = 200_000
RUNS = ["a", "a.", "%40", "@", "a@", "a@b.", "a://", "eyJ", "eyJa.", "Bearer ", " ", "-", "\u0300"]


@pytest.mark.parametrize("run", RUNS)
def test_masking_takes_linear_time(run: str) -> None:
    """Processor time, which other load on the machine doesn't change: quadratic masking took minutes for this."""
    text = run * (LONG // len(run))

    before = process_time()
    masked(path=text)

    assert process_time() - before < 2


async def call(layer: RequestLayer, method: str = "GET") -> list[Any]:
    """What the layer sends for one request."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": method, "path": "/", "query_string": b""}
    await layer({**scope, "headers": [(b"host", b"postern.test")]}, receive, send)
    return sent


async def test_a_request_that_was_cancelled_has_its_line_and_stays_cancelled() -> None:
    async def cancelled(*_: Any) -> None:
        raise asyncio.CancelledError

    with logged(make_settings()) as lines, pytest.raises(asyncio.CancelledError):
        await call(RequestLayer(cancelled, settings=make_settings()))

    assert [event["status"] for event in lines.named("request")] == [499]


async def test_an_error_after_the_response_began_adds_no_second_response() -> None:
    async def half(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(CANARY)

    with logged(make_settings()) as lines:
        sent = await call(RequestLayer(half, settings=make_settings()))

    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [event["event"] for event in lines.events] == ["request_failed", "request"]


async def test_the_body_of_an_answer_to_head_goes_no_further() -> None:
    async def two_parts(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": scope["method"].encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"GET"})

    layer = RequestLayer(two_parts, settings=make_settings())

    assert [message.get("body") for message in await call(layer)] == [None, b"GET", b"GET"]
    assert [message.get("body") for message in await call(layer, "HEAD")] == [None, b"", b""]


async def test_what_is_no_http_request_passes_untouched() -> None:
    seen: list[Any] = []

    async def inner(scope: Any, *_: Any) -> None:
        seen.append(scope)

    scope = {"type": "websocket"}
    with logged(make_settings()) as lines:
        await RequestLayer(inner, settings=make_settings())(scope, *[inner] * 2)

    assert seen == [scope]
    assert lines.events == []
