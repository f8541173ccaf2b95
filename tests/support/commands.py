"""The `postern` command, in the process of the tests."""

from io import StringIO

import pytest
from anyio import to_thread
from sqlalchemy.engine import URL

from app.cli.main import run


async def postern(monkeypatch: pytest.MonkeyPatch, url: URL, *arguments: str, stdin: str = "") -> int | str | None:
    """Runs `postern …` as its own process would, in a thread: it brings an event loop of its own."""
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setattr("sys.argv", ["postern", *arguments])
    monkeypatch.setattr("sys.stdin", StringIO(stdin))

    def process() -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code

    return await to_thread.run_sync(process)
