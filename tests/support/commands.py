"""The `postern` command, in the process of the tests."""

from io import BytesIO, TextIOWrapper

import pytest
from anyio import to_thread
from sqlalchemy.engine import URL

from app.cli.main import run


async def postern(
    monkeypatch: pytest.MonkeyPatch, url: URL, *arguments: str, stdin: str | bytes = b""
) -> int | str | None:
    """Runs `postern …` as its own process would, in a thread: it brings an event loop of its own."""
    typed = stdin.encode() if isinstance(stdin, str) else stdin
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setattr("sys.argv", ["postern", *arguments])
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(typed), encoding="utf-8", errors="surrogateescape"))

    def process() -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code

    return await to_thread.run_sync(process)
