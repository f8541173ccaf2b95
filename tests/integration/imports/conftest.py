"""Fixtures of the tests of `postern import`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from app.cli.main import app
from tests.integration.imports.files import Post, Run, Served
from tests.support.application import client_of, running
from tests.support.server import Clone


@pytest.fixture
def database(template: URL) -> Iterator[URL]:
    """A migrated database, with nobody else in it."""
    clone = Clone(template)
    url = asyncio.run(clone.__aenter__())
    yield url
    asyncio.run(clone.__aexit__())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is imported."""
    blog = tmp_path / "blog"
    blog.mkdir()
    return blog


@pytest.fixture
def run(database: URL, folder: Path) -> Run:
    """Runs the command on the folder, or on another path; returns its exit code and the lines of its report."""

    def run(*arguments: str, path: Path = folder, url: URL = database) -> tuple[int, list[str]]:
        environment = {"DATABASE_URL": url.render_as_string(hide_password=False)}
        result = CliRunner().invoke(app, ["import", str(path), *arguments], env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout.splitlines()

    return run


@pytest.fixture
def posts(database: URL) -> Served:
    """What the API serves now, whole, by slug."""

    async def fetch(query: dict[str, str]) -> dict[str, Post]:
        async with running(database) as api, client_of(api) as client:
            items = (await client.get("/api/v1/posts", params={"limit": "100", **query})).json()["items"]
            return {item["slug"]: (await client.get(f"/api/v1/posts/{item['id']}")).json() for item in items}

    return lambda **query: asyncio.run(fetch(query))
