"""The service does what its contract says, whatever is sent to it and whoever sends it.

FUZZ_SEED and FUZZ_EXAMPLES say which requests are made up, and how many for each operation: `make fuzz`.
"""

import json
import os
from pathlib import Path
from urllib.request import urlopen

import pytest
from anyio.from_thread import start_blocking_portal
from sqlalchemy.engine import URL

from tests.support.application import SECRET, running
from tests.support.fuzzing import Cast, fuzz
from tests.support.process import POSTERN, environment, started
from tests.support.server import Clone

pytestmark = pytest.mark.no_cover  # the service is another process

LIFETIME = 3600.0
SETTINGS = {
    "SECRET_KEYS": f"test:{SECRET}",
    "ACCESS_TOKEN_LIFETIME": f"{LIFETIME}",
    "RATE_LIMITS": "false",
    "PUBLIC_USERS": "everybody",  # or whoever registers without signing in wouldn't find what they made
    "PASSWORD_TIME_COST": "1",
    "PASSWORD_MEMORY_KIB": "8",
}
SEED, EXAMPLES = int(os.environ.get("FUZZ_SEED", "1")), int(os.environ.get("FUZZ_EXAMPLES", "4"))


@pytest.mark.parametrize("who", ["anon", "other", "owner", "admin"])
def test_the_service_keeps_its_contract(template: URL, tmp_path: Path, who: str) -> None:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Clone(template)) as url,
        portal.wrap_async_context_manager(running(url, access_token_lifetime=LIFETIME)) as app,
        started(POSTERN, tmp_path, environment(url, **SETTINGS)) as service,
    ):
        address = f"http://127.0.0.1:{service.port}"
        with urlopen(f"{address}/openapi.json") as response:
            document = json.load(response)
        report = fuzz(document, address, Cast(who, app, portal), seed=SEED, examples=EXAMPLES)

    print(who, report)  # noqa: T201 - shown by `make fuzz`
    assert report.faults == {}, report
    assert report.let_in >= 0.5, report
