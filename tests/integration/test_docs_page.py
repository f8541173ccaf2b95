"""The documentation page comes from this service alone, and a browser shows it under its policy."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import URL

from tests.support.answers import assert_problem
from tests.support.application import client_of, offline
from tests.support.process import POSTERN, environment, started

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FILE = "/docs/files/swagger-ui.css"
PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql+asyncpg://x/x",
    "secret_keys": "1:a secret of thirty-two characters",
}
# It may ask no host but ours, and in a container it has neither a sandbox nor a display.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
)


async def get(path: str) -> httpx2.Response:
    async with client_of(offline(**PRODUCTION), headers={}) as client:
        return await client.get(path)


async def test_the_page_names_no_other_host_and_its_policy_allows_none() -> None:
    page = await get("/docs")

    assert page.status_code == 200
    assert re.findall(r"(?:https?:)?//[a-z]", page.text) == []
    policy = dict(directive.split(" ", 1) for directive in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert re.fullmatch(r"'sha256-[\w+/=]+' 'self'", policy["script-src"])
    assert "http" not in page.headers["content-security-policy"]


async def test_its_files_are_those_of_the_package() -> None:
    named = re.findall(r"/docs/files/[\w.-]+", (await get("/docs")).text)

    assert len(named) == 3
    for path in named:
        answer = await get(path)
        assert answer.content == files("fastapi_swagger.resources").joinpath(path.rpartition("/")[2]).read_bytes()


@pytest.mark.parametrize("path", ["/docs/files/nothing.js", "/docs/files/..%2fmain.py", "/docs/files/", "/redoc"])
async def test_nothing_else_is_served_below_it(path: str) -> None:
    assert_problem(await get(path), 404)


async def test_a_part_that_a_file_lacks_is_a_416_that_says_how_long_it_is() -> None:
    async with client_of(offline()) as client:
        whole = await client.get(FILE)
        beyond = await client.get(FILE, headers={"range": f"bytes={len(whole.content)}-"})
        nonsense = await client.get(FILE, headers={"range": "bytes=a-b"})

    assert_problem(beyond, 416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"
    assert_problem(nonsense, 400, "bad_request")


async def test_a_file_takes_no_other_method_and_says_so() -> None:
    async with client_of(offline()) as client:
        response = await client.post(FILE)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


async def test_the_root_leads_to_the_documentation() -> None:
    answer = await get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome on the PATH")
def test_a_browser_shows_every_operation_under_the_policy(url: URL, tmp_path: Path) -> None:
    assert CHROMIUM
    with started(POSTERN, tmp_path, environment(url)) as service:
        address = f"http://127.0.0.1:{service.port}/docs"
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", address]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    assert "Read yourself" in shown.stdout
    assert "/api/v1/users/{user_id}" in shown.stdout.replace("<wbr>", "").replace("\u200b", "")
    assert [line for line in shown.stderr.splitlines() if "Content Security Policy" in line or "Uncaught" in line] == []
