"""Nothing secret or personal stands in the log."""

import json
import re
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import URL

from app.api.deps import WriteSession
from app.core.mail import Mail, Mailer, SmtpMailer
from app.core.product import API_KEY_PREFIX
from app.db.session import Database
from app.main import create_app
from tests.support.accounts import AUTH, USERS
from tests.support.application import PRODUCTION, client_of, make_settings
from tests.support.callers import header
from tests.support.database import ask
from tests.support.loglines import captured
from tests.support.resources import Route, changes, send
from tests.support.users import new_user
from tests.support.world import World


class Box:
    """A mailer in front of one whose server isn't there: what should have been sent is kept, and the failure logged."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)
        await self._mailer.send(mail)

    def token(self) -> str:
        found = re.search(r"#token=(\S+)", self.mails[-1].text)
        assert found
        return found[1]


async def live_an_account(client: httpx2.AsyncClient, box: Box) -> set[str]:
    """Goes through everything that an account goes through; the secrets that came up."""
    secrets: set[str] = set()

    def remember(response: httpx2.Response, *fields: str) -> dict[str, Any]:
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        secrets.update(body[field] for field in fields)
        return body

    async def post(path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        return await client.post(path, json=body, headers=headers)

    async def sign_in(password: str) -> httpx2.Response:
        return await client.post(f"{AUTH}/token", data={"username": "canary@example.com", "password": password})

    await post(USERS, email="canary@example.com", name="canary name", password="canary password 1")
    secrets.add(box.token())
    await post(f"{AUTH}/email/verify/confirm", token=box.token())
    tokens = remember(await sign_in("canary password 1"), "access_token", "refresh_token")
    again = await post(f"{AUTH}/refresh", refresh_token=tokens["refresh_token"])
    bearer = header(remember(again, "access_token", "refresh_token")["access_token"])
    new = {"name": "k", "scopes": ["users:read"], "current_password": "canary password 1"}
    key = remember(await post(f"{AUTH}/api-keys", bearer, **new), "key")
    me = remember(await client.get(f"{USERS}/me", headers=header(key["key"])))
    fresh = {"email": "canary2@example.com", "current_password": "canary password 1"}
    change = await client.patch(f"{USERS}/{me['id']}", json=fresh, headers=bearer)
    remember(change)
    await client.post(
        f"{AUTH}/password",
        json={"current_password": "canary password 1", "new_password": "canary password 2"},
        headers=bearer,
    )
    await post(f"{AUTH}/password/reset", email="canary2@example.com")
    secrets.add(box.token())
    reset = await post(f"{AUTH}/password/reset/confirm", token=box.token(), password="canary password 3")
    assert reset.status_code == 204
    return secrets


async def go_wrong(client: httpx2.AsyncClient, url: URL) -> set[int]:
    """Asks for whatever fails; the statuses of the answers."""
    account = {"email": "canary2@example.com", "password": "canary password 4"}
    form = {"username": "canary2@example.com", "password": "canary wrong"}
    answers = [
        await client.post(USERS, json=account),
        await client.post(USERS, json=account | {"email": "canary@@example.com"}),
        await client.post(f"{AUTH}/token", data=form),
        await client.post(f"{AUTH}/refresh", json={"refresh_token": "canary-token"}),
        await client.get(f"{USERS}/me", headers=header("canary-token")),
        await client.get(f"{USERS}/me", headers=header(f"{API_KEY_PREFIX}deadbeef_canary-key")),
        await client.get(f"{USERS}?email=canary@example.com&token=canary"),
        await client.get(f"{USERS}/canary@example.com"),
        await client.post("/fails"),
        await client.post("/raises"),
    ]
    ask(url, "ALTER TABLE one_time_tokens RENAME TO elsewhere")
    answers.append(await client.post(f"{AUTH}/password/reset", json={"email": "canary2@example.com"}))
    ask(url, "DROP TABLE rate_windows")
    answers.append(await client.post(f"{AUTH}/token", data=form))
    return {answer.status_code for answer in answers}


async def fails_in_the_database(session: WriteSession) -> None:
    session.add_all([new_user(email="canary-error@example.com"), new_user(email="CANARY-error@example.com")])
    await session.flush()


async def raises() -> None:
    raise RuntimeError("the canary's own words")


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_a_session_in_production_leaves_nothing_personal_or_secret_in_the_log(live_url: URL, level: str) -> None:
    settings = make_settings(live_url, **PRODUCTION, log_level=level, unverified_may="write", rate_limits=True)
    app = create_app(settings)
    app.add_api_route("/fails", fails_in_the_database, methods=["POST"])
    app.add_api_route("/raises", raises, methods=["POST"])
    app.state.database = Database(live_url, settings)
    app.state.process_context.mailer = box = Box(SmtpMailer("smtp://canary:canary@127.0.0.1:9", "canary@example.com"))

    with captured() as log:
        async with client_of(app, headers={"user-agent": "canary-agent"}) as client:
            secrets = await live_an_account(client, box)
            statuses = await go_wrong(client, live_url)
    await app.state.database.close()

    assert statuses == {202, 401, 409, 422, 500}
    lines = log.getvalue().splitlines()
    events = {json.loads(line)["event"] for line in lines}
    assert {"request", "mail_not_sent", "request_failed"} <= events
    hashes = {bytes(row[0]).hex() for row in ask(live_url, "SELECT token_hash FROM refresh_tokens")}
    for line in lines:
        for secret in {"canary", "argon2", "production secret", *secrets, *hashes}:
            assert secret not in line


@pytest.mark.parametrize("route", changes(), ids=str)
async def test_no_change_logs_what_is_personal_or_secret(
    world: World, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, route: Route
) -> None:
    headers = await world.headers_of("owner")
    text = {name: field for name, field in route.takes.items() if field.by == "owner" and isinstance(field.value, str)}
    beside = {name: value for field in text.values() for name, value in field.beside.items()}
    body = beside | {name: field.value for name, field in text.items() if not field.refused}
    caplog.clear()

    response = await send(visitor, world, route, headers, **route.body(world, **body))

    assert response.is_success
    personal = {*world.secrets.values(), *(str(value) for value in body.values()), *headers.values(), "@example.com"}
    assert [value for value in personal if value in caplog.text] == []
