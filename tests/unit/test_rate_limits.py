"""What an attempt costs, whatever is written for an address."""

from time import process_time

import pytest
from limits import RateLimitItem

from app.core.errors import RateLimited
from app.services.rate_limits import RateLimits
from tests.support.application import make_settings

MARKS = "a" + "\u0300\u0316" * 100_000
"""Normalising these takes minutes: marks of different classes are sorted, in quadratic time."""


class Counts:
    """Allows whatever isn't refused, and remembers the kinds of limit that were asked."""

    def __init__(self, refused: str) -> None:
        self.asked: list[str] = []
        self._refused = refused

    async def hit(self, key: str, _limit: RateLimitItem) -> tuple[bool, int]:
        kind = key.split(":")[1]
        self.asked.append(kind)
        return kind != self._refused, 1


@pytest.mark.parametrize(("refused", "asked"), [("address", ["address"]), ("account", ["address", "account"])])
async def test_a_long_account_costs_no_time_and_none_at_all_from_an_address_that_is_over_its_limit(
    refused: str, asked: list[str]
) -> None:
    counts = Counts(refused)
    before = process_time()

    with pytest.raises(RateLimited):
        await RateLimits(counts, make_settings(rate_limits=True)).check("sign_in", address="::1", account=MARKS)

    assert process_time() - before < 0.25
    assert counts.asked == asked
