"""Links in mails, and passwords that are set by them."""

import httpx2

from app.db.models.user import User
from tests.support.accounts import (
    AUTH,
    NEW_PASSWORD,
    Tokens,
)
from tests.support.callers import header
from tests.support.mailbox import Mailbox

RESET = f"{AUTH}/password/reset"
VERIFY = f"{AUTH}/email/verify"


async def reset_token(client: httpx2.AsyncClient, box: Mailbox, user: User) -> str:
    """The token of the link that a user asks for."""
    response = await client.post(RESET, json={"email": user.email})
    assert response.status_code == 202, response.text
    return box.to(user.email)[-1].token


async def set_password(client: httpx2.AsyncClient, token: str, password: str = NEW_PASSWORD) -> httpx2.Response:
    return await client.post(f"{RESET}/confirm", json={"token": token, "password": password})


async def change_password(
    client: httpx2.AsyncClient, tokens: Tokens, current: str, new: str = NEW_PASSWORD
) -> httpx2.Response:
    change = {"current_password": current, "new_password": new}
    return await client.post(f"{AUTH}/password", json=change, headers=header(tokens["access_token"]))


async def confirm(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.post(f"{VERIFY}/confirm", json={"token": token})
