"""What the guard counts: the functions that a request calls, each time the same number."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.compare import calls

APP = """
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

def step():
    pass

class App:
    @asynccontextmanager
    async def lifespan(self, app):
        yield

    @property
    def router(self):
        return SimpleNamespace(lifespan_context=self.lifespan)

    async def __call__(self, scope, receive, send):
        message = await receive()
        for _ in range({steps}):
            step()
        authorized = any(name == b"authorization" for name, _ in scope["headers"])
        status = 200 if scope["path"] in ("/token", "/open") or authorized else 401
        await send({{"type": "http.response.start", "status": status, "headers": []}})
        await send({{"type": "http.response.body", "body": json.dumps({{"access_token": "x"}}).encode()}})

app = App()
"""


def request(path: str, *, signed_in: bool = False) -> dict[str, Any]:
    return {"method": "GET", "path": path, "headers": {"Host": "x"}, "body": "", "signed_in": signed_in}


def count(folder: Path, steps: int, asked: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    package = folder / f"steps{steps}" / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(APP.format(steps=steps))
    return subprocess.run(
        [sys.executable, "-P", calls.__file__],
        input=json.dumps({"sign_in": request("/token"), "workloads": asked}),
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_hundred_more_calls_are_counted_as_a_hundred(tmp_path: Path) -> None:
    asked = {"open": [request("/open")] * 40, "closed": [request("/closed", signed_in=True)] * 40}

    few, many = (json.loads(count(tmp_path, steps, asked).stdout) for steps in (10, 110))

    assert many["open"] - few["open"] == 100
    assert many["closed"] - few["closed"] == 100


def test_a_request_that_fails_is_not_counted(tmp_path: Path) -> None:
    done = count(tmp_path, 1, {"closed": [request("/closed")] * 40})

    assert done.returncode == 1
    assert "GET /closed was answered with 401" in done.stderr
