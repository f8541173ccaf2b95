"""The pages that mails link to: they are there, run their own script alone, and know the API's paths."""

import re
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from app.db.models.user import User
from tests.support.accounts import AUTH, USERS, configure, hashed
from tests.support.callers import Save
from tests.support.mailbox import mailbox
from tests.support.users import new_user

PAGES = ["/verify-email", "/set-password"]


def digest(page: str, element: str) -> str:
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


async def test_the_links_in_mails_lead_to_a_page(app: FastAPI, visitor: httpx2.AsyncClient, save: Save) -> None:
    ada: User = new_user(email="ada@example.com", password_hash=hashed())
    await save(ada)
    async with mailbox() as box:
        configure(app, smtp_url=box.url(), public_url="http://postern.test")
        await visitor.post(USERS, json={"email": "grace@example.com"})
        await visitor.post(f"{AUTH}/password/reset", json={"email": ada.email})
        links = [re.findall(r"http://postern\.test/\S+#token=\S+", mail.text) for mail in box.mails]

    assert [urlsplit(link).path for (link,) in links] == PAGES
    for (link,) in links:
        page = await visitor.get(link)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_runs_its_own_script_and_style_and_nothing_else(client: httpx2.AsyncClient, path: str) -> None:
    page = await client.get(path)

    policy = dict(each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": digest(page.text, "script"),
        "style-src": digest(page.text, "style"),
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_sends_the_token_to_routes_that_are_there(
    client: httpx2.AsyncClient, shared_app: FastAPI, path: str
) -> None:
    routes = re.findall(r'"(api/v1/[^"]+)"', (await client.get(path)).text)

    assert {f"/{route}" for route in routes} == {f"{AUTH}/password/reset/confirm", f"{AUTH}/email/verify/confirm"}
    assert all("post" in shared_app.openapi()["paths"][f"/{route}"] for route in routes)
