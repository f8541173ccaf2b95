"""What a crowd that signs in costs everybody else: the time of GET /api/v1/posts alone, and during 100 sign-ins.

    python benchmarks/sign_in_load.py

Starts the service and a database of its own. Each round measures both, one after the other, over one keep-alive
connection; the sign-ins all start at once, each over a connection of its own. Exit code 1 when the median of the
rounds' 95th percentiles during sign-ins is over the limit.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

from service import PASSWORD, Connection, service

ACCOUNTS = 100
WARM_UP = 200


@dataclass(frozen=True)
class Round:
    alone: float
    during: float
    """95th percentiles in milliseconds."""
    requests: int
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--sign-ins", type=int, default=100, help="at once (default: 100)")
    parser.add_argument("--requests", type=int, default=500, help="of each round, alone (default: 500)")
    parser.add_argument("--limit", type=float, default=100, help="milliseconds that pass (default: 100)")
    arguments = parser.parse_args()
    rounds = []
    with service(ACCOUNTS) as port:
        reader = Connection(port)
        for _ in range(WARM_UP):
            reader.posts()
        for number in range(1, arguments.rounds + 1):
            done = measure(port, reader, arguments.requests, arguments.sign_ins)
            rounds.append(done)
            print(
                f"round {number}: p95 {done.alone:.1f} ms alone, {done.during:.1f} ms during {arguments.sign_ins} "
                f"sign-ins ({done.requests} requests in {done.seconds:.1f} s)",
                flush=True,
            )
    for name, values in (("alone", [each.alone for each in rounds]), ("during", [each.during for each in rounds])):
        print(f"p95 {name}: median {median(values):.1f} ms, from {min(values):.1f} to {max(values):.1f} ms")
    return 0 if median(each.during for each in rounds) <= arguments.limit else 1


def measure(port: int, reader: Connection, requests: int, sign_ins: int) -> Round:
    alone = [reader.posts() for _ in range(requests)]
    crowd = [Connection(port) for _ in range(sign_ins)]
    with ThreadPoolExecutor(sign_ins) as pool:
        started = perf_counter()
        signing_in = [pool.submit(_sign_in(each, number)) for number, each in enumerate(crowd)]
        during = []
        while not all(each.done() for each in signing_in):
            during.append(reader.posts())
        seconds = perf_counter() - started
        for each in signing_in:
            each.result()
    return Round(p95(alone), p95(during), len(during), seconds)


def _sign_in(connection: Connection, number: int) -> Callable[[], float]:
    return lambda: connection.sign_in(f"user{number % ACCOUNTS}@example.com", PASSWORD, expected=200)


def p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1] * 1000


if __name__ == "__main__":
    sys.exit(main())
