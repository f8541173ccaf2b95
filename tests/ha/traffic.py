"""Clients that read and write all the time, and keep account of what they were told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx2

from tests.support.accounts import USERS


@dataclass
class Account:
    outcomes: Counter[str] = field(default_factory=Counter[str])
    """By status, or by the kind of error where there was no answer."""
    acknowledged: set[str] = field(default_factory=set[str])
    """Addresses of the accounts whose creation was answered with success."""

    @property
    def failed(self) -> Counter[str]:
        """Whatever wasn't a success; a refused connection has sent nothing."""
        return Counter({name: times for name, times in self.outcomes.items() if not name.startswith("20")})

    @property
    def lost(self) -> Counter[str]:
        """Requests without an answer, though they were sent or could have been."""
        return Counter({name: times for name, times in self.failed.items() if name != "ConnectError"})


@asynccontextmanager
async def traffic(port: int, *, rate: float, prefix: str, keep_alive: bool = True) -> AsyncIterator[Account]:
    """Sends requests at a constant rate, every fourth a write, while the block runs; at its end all have answers."""
    account = Account()
    limits = httpx2.Limits(max_connections=500, max_keepalive_connections=500 if keep_alive else 0)
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        sender = group.create_task(_send(client, group, account, rate, prefix))
        try:
            yield account
        finally:
            sender.cancel()


async def _send(
    client: httpx2.AsyncClient, group: asyncio.TaskGroup, account: Account, rate: float, prefix: str
) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in count():
        await asyncio.sleep(max(0, began + number / rate - loop.time()))
        address = f"{prefix}-{number}@example.com" if number % 4 == 0 else None
        group.create_task(_ask(client, account, address))


async def _ask(client: httpx2.AsyncClient, account: Account, address: str | None) -> None:
    try:
        if address is None:
            response = await client.get(USERS)
        else:
            response = await client.post(USERS, json={"email": address})
    except httpx2.HTTPError as error:
        account.outcomes[type(error).__name__] += 1
        return
    account.outcomes[str(response.status_code)] += 1
    if address and response.status_code == httpx2.codes.CREATED:
        account.acknowledged.add(address)
