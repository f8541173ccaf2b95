"""The driver alone: how much processor time a query takes without HTTP. Prints one line of JSON.

python driver.py WORKLOAD SECONDS CONNECTIONS WARM_UP < ids
"""

import asyncio
import json
import os
import sys
from itertools import cycle
from time import perf_counter, process_time
from uuid import UUID, uuid4

import asyncpg
import uvloop
from statements import CREATE, LIST, POST, USER

TITLE, BODY = "A measured post", "It weaves algebraic patterns. " * 26


async def main(workload: str, seconds: float, connections: int, warm_up: float) -> None:
    ids = cycle([UUID(line) for line in sys.stdin.read().split()])
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=min(connections, 20), max_size=min(connections, 20)
    ) as pool:
        query = {
            "user": lambda: pool.fetchrow(USER, next(ids)),
            "post": lambda: pool.fetchrow(POST, next(ids)),
            "list": lambda: pool.fetch(LIST, 20),
            "create": lambda: pool.fetchrow(CREATE, uuid4(), next(ids), TITLE, BODY),
        }[workload]

        async def until(end: float) -> list[float]:
            took = []
            while (began := perf_counter()) < end:
                await query()
                took.append(perf_counter() - began)
            return took

        async def crowd(duration: float) -> list[float]:
            end = perf_counter() + duration
            return [each for took in await asyncio.gather(*(until(end) for _ in range(connections))) for each in took]

        await crowd(warm_up)
        began, cpu = perf_counter(), process_time()
        took = await crowd(seconds)
        print(json.dumps({"took": took, "seconds": perf_counter() - began, "cpu": process_time() - cpu}))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
