"""README's first session can be pasted as it stands, and answers what README says."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from tests.support.process import POSTERN, ROOT, environment, started

SESSION = re.compile(r"## A first session.*?```sh\n(.*?)```.*?```json\n(.*?)```", re.DOTALL)
MADE_ANEW = {"id", "created_at", "updated_at", "published_at", "request_id"}


def lasting(value: Any) -> Any:
    """An answer without what is another each time."""
    if isinstance(value, dict):
        return {key: "made anew" if key in MADE_ANEW else lasting(each) for key, each in value.items()}
    return [lasting(each) for each in value] if isinstance(value, list) else value


@pytest.mark.skipif(shutil.which("curl") is None, reason="the session is one of curl")
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_first_session_goes_as_it_is_written(tmp_path: Path, url: URL, shell: str) -> None:
    found = SESSION.search((ROOT / "README.md").read_text())
    assert found
    commands, answers = found.groups()

    with started(POSTERN, tmp_path, environment(url)) as service:
        service.get("/api/v1/users")
        session = commands.replace(":8000/", f":{service.port}/")
        done = subprocess.run([shell, "-c", session], capture_output=True, text=True, check=True)

    said, written = ([lasting(json.loads(line)) for line in text.splitlines()] for text in (done.stdout, answers))
    assert said == written
