"""Whether the time of an answer tells if there is an account with an address: sign-in and password reset.

    python benchmarks/sign_in_timing.py

Starts the service and a database of its own. Addresses with and without an account take turns at random over one
keep-alive connection; a sign-in has a wrong password. AUC is the chance that an answer about an existing account took
longer than one about another: 0.5 tells nothing, 0 and 1 tell everything. Exit code 1 when AUC or 1 - AUC is over the
limit.
"""

import argparse
import random
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from statistics import median

from service import Connection, service

ACCOUNTS = 100
WARM_UP = 50
RESAMPLES = 1000
CONFIDENCE = 0.95


def sign_in(connection: Connection, email: str) -> float:
    return connection.sign_in(email, "a wrong password", expected=401)


# What is asked, and how the accounts are called that it is asked of.
QUESTIONS = (
    ("sign-in", "user", sign_in),
    ("sign-in, hashed by weaker parameters", "weak", sign_in),
    ("password reset", "user", Connection.reset),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="answers to each question (default: 2000)")
    parser.add_argument("--limit", type=float, default=0.55, help="the largest AUC that passes (default: 0.55)")
    parser.add_argument("--seed", type=int, default=1, help="of the order and the resampling (default: 1)")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)  # noqa: S311 - an order, not a secret
    passed = True
    with service(ACCOUNTS) as port:
        connection = Connection(port)
        for name, account, ask in QUESTIONS:
            known, unknown = measure(name, account, partial(ask, connection), arguments.samples, chance)
            passed &= report(name, known, unknown, arguments.limit, chance)
    return 0 if passed else 1


def measure(
    name: str, account: str, ask: Callable[[str], float], samples: int, chance: random.Random
) -> tuple[list[float], list[float]]:
    """Seconds of each answer about addresses with an account, and about others of the same length."""
    took: dict[str, list[float]] = {account: [], "none": []}
    order = [account, "none"] * (samples // 2)
    chance.shuffle(order)
    for number, kind in enumerate([account, "none"] * (WARM_UP // 2) + order, start=-WARM_UP + 1):
        seconds = ask(f"{kind}{chance.randrange(ACCOUNTS)}@example.com")
        if number > 0:
            took[kind].append(seconds)
        if number % 100 == 0:
            print(f"\r{name}: {max(number, 0)} of {samples}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return took[account], took["none"]


def report(name: str, known: list[float], unknown: list[float], limit: float, chance: random.Random) -> bool:
    found = auc(known, unknown)
    low, high = interval(known, unknown, chance)
    passed = max(found, 1 - found) <= limit
    print(
        f"{name}: AUC {found:.3f} ({CONFIDENCE:.0%} interval {low:.3f} to {high:.3f}), "
        f"medians {median(known) * 1000:.2f} ms with an account, {median(unknown) * 1000:.2f} ms without; "
        f"{'passed' if passed else 'FAILED'} (limit {limit})"
    )
    return passed


def auc(ones: list[float], others: list[float]) -> float:
    """Mann-Whitney's U over the number of pairs: how often one of the first is larger; ties count half."""
    ranked = sorted(others)
    wins = sum(bisect_left(ranked, value) + bisect_right(ranked, value) for value in ones)
    return wins / (2 * len(ones) * len(others))


def interval(ones: list[float], others: list[float], chance: random.Random) -> tuple[float, float]:
    """The bootstrap's percentiles."""
    drawn = sorted(
        auc(chance.choices(ones, k=len(ones)), chance.choices(others, k=len(others))) for _ in range(RESAMPLES)
    )
    outside = round((1 - CONFIDENCE) / 2 * RESAMPLES)
    return drawn[outside], drawn[-1 - outside]


if __name__ == "__main__":
    sys.exit(main())
