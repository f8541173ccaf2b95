"""A read costs one round trip: no transaction is opened or ended around it, whatever the driver."""

from sqlalchemy.engine import URL

from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.wire import tapped


async def test_a_read_sends_nothing_but_its_statement(live_url: URL) -> None:
    async with tapped(live_url) as (relay, words), running(relay) as app, client_of(app) as client:
        await client.get(USERS)
        words.clear()

        await client.get(USERS)
        await client.get(f"{USERS}/01a1fde4-c71a-704d-b79d-cd692fb0ace4")

    assert set(words) <= {"SELECT"}  # a statement that is prepared goes by its name


async def test_a_write_is_seen_to_send_one_transaction(live_url: URL) -> None:
    async with tapped(live_url) as (relay, words), running(relay) as app, client_of(app) as client:
        await client.post(USERS, json={"email": "ada@example.com"})
        words.clear()

        await client.post(USERS, json={"email": "grace@example.com"})

    assert words[0] == "BEGIN"
    assert words[-1] == "COMMIT"
    assert words.count("COMMIT") == 1
