"""Nobody locks an account for its owner, and nobody guesses without end."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from limits import parse

from app.api.deps import get_settings
from app.core.config import Settings
from app.db.models.user import User
from tests.support.accounts import NEW_PASSWORD, USERS, sign_in
from tests.support.application import make_settings
from tests.support.attempts import ATTEMPTS, LIMITS, STORAGES, attempt, client_at, is_limited, use_limits
from tests.support.laws import ROOT
from tests.support.links import reset_token, set_password
from tests.support.mailbox import Mailbox


@STORAGES
@pytest.mark.parametrize(("action", "path", "kind"), ATTEMPTS[:3])
async def test_what_many_networks_do_to_one_account_is_limited_together(
    app: FastAPI, action: str, path: str, kind: str, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, **{f"rate_limit_{action}_total": "2/minute"})
    answers = []
    for n, email in enumerate(("ada@example.com", "ADA@example.com", "Ada@Example.COM", "grace@example.com")):
        async with client_at(app, f"203.0.113.{n}") as client:
            answers.append(await attempt(client, path, kind, email))

    assert [is_limited(answer) for answer in answers] == [False, False, True, False]


@STORAGES
async def test_whatever_many_networks_do_the_owner_is_let_in_from_where_they_were_before(
    app: FastAPI, ada: User, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, rate_limit_sign_in_total="3/hour", rate_limit_reset_total="3/hour")
    async with client_at(app, "203.0.113.7") as home, client_at(app, "198.51.100.1") as abroad:
        assert (await sign_in(home, ada.email)).status_code == 200
        for n in range(5):
            async with client_at(app, f"192.0.2.{n}") as attacker:
                for path, kind in (("/token", "data"), ("/password/reset", "json"), ("/email/verify", "json")):
                    await attempt(attacker, path, kind, str(ada.email))
        refused = await sign_in(abroad, ada.email)
        known = await sign_in(home, ada.email)
        link = await attempt(home, "/password/reset", "json", str(ada.email))

    assert (refused.status_code, known.status_code, link.status_code) == (429, 200, 202)


async def test_whoever_sets_a_password_by_a_link_is_let_in_from_there(
    app: FastAPI, visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    token = await reset_token(visitor, box, ada)
    settings = make_settings(rate_limits=True, **LIMITS | {"rate_limit_sign_in_total": "1/hour"})
    app.dependency_overrides[get_settings] = lambda: settings  # the mailbox stays
    async with client_at(app, "192.0.2.1") as attacker, client_at(app, "203.0.113.7") as owner:
        await attempt(attacker, "/token", "data", str(ada.email))
        before = await sign_in(owner, ada.email)
        assert (await set_password(owner, token)).status_code == 204
        after = await sign_in(owner, ada.email, NEW_PASSWORD)

    assert (before.status_code, after.status_code) == (429, 200)


async def test_confirmations_that_send_nothing_dont_use_up_the_resets(app: FastAPI, ada: User) -> None:
    use_limits(app, rate_limit_reset_total="2/hour")
    async with client_at(app, "192.0.2.1") as attacker, client_at(app, "203.0.113.7") as owner:
        for _ in range(5):
            await attempt(attacker, "/email/verify", "json", str(ada.email))
        answer = await attempt(owner, "/password/reset", "json", str(ada.email))

    assert answer.status_code == 202


async def test_nobody_uses_up_the_registrations_of_an_address(app: FastAPI) -> None:
    use_limits(app, rate_limit_registration_account="1/hour")
    for n in range(20):
        async with client_at(app, f"192.0.2.{n}") as attacker:
            weak = {"email": "ada@example.com", "password": "aaaaaaaa"}
            assert (await attacker.post(USERS, json=weak)).status_code == 422
    async with client_at(app, "203.0.113.7") as owner:
        registered = await attempt(owner, USERS, "json", "ada@example.com")

    assert registered.status_code == 201


def test_the_operations_guide_counts_the_guesses_of_a_day_right() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\|[^|]+\| `(RATE_LIMIT_\w+)`[^|]*\| ([\d,]+) \|$", guide, re.MULTILINE)
    stated = {(name, int(number.replace(",", ""))) for name, number in rows}

    limits = {name: parse(Settings.model_fields[name.lower()].default) for name, _ in stated}
    assert stated == {(name, limit.amount * 86400 // limit.get_expiry()) for name, limit in limits.items()}
    assert {name.rpartition("_")[2] for name in limits} == {"ADDRESS", "ACCOUNT", "TOTAL"}
