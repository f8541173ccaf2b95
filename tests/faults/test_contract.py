"""The service does what its contract says, whatever is sent to it and whoever sends it."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from anyio.from_thread import start_blocking_portal
from sqlalchemy.engine import URL

from tests.support.application import SECRET, running
from tests.support.fuzzing import Cast, fuzz
from tests.support.process import POSTERN, environment, started
from tests.support.server import Clone

pytestmark = pytest.mark.no_cover  # the service is another process

SETTINGS = {
    "SECRET_KEYS": f"test:{SECRET}",
    "RATE_LIMITS": "false",
    "PASSWORD_TIME_COST": "1",
    "PASSWORD_MEMORY_KIB": "8",
    "ACCESS_TOKEN_LIFETIME": "3600",
}
SEED = int(os.environ.get("FUZZ_SEED", "1"))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))


@pytest.mark.parametrize("who", ["anon", "other", "owner", "admin"])
def test_it(template: URL, tmp_path, who) -> None:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Clone(template)) as url:
        with portal.wrap_async_context_manager(running(url, access_token_lifetime=3600.0)) as app:
            with started(POSTERN, tmp_path, environment(url, **SETTINGS)) as service:
                import time, psutil
                base = f"http://127.0.0.1:{service.port}"
                document = json.loads(urlopen(f"{base}/openapi.json").read())
                t = time.process_time()
                cast = Cast(who, app, portal)
                report = fuzz(document, base, cast, seed=SEED, examples=EXAMPLES)
                print(who, "cpu client", time.process_time() - t, "server", psutil.Process(service.pid).cpu_times())
                print(cast.n, report); print(sorted(report.by.items()))
