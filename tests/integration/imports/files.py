"""Files as other tools write them, and what becomes of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

type Post = dict[str, Any]
type Run = Callable[..., tuple[int, list[str]]]
"""Runs the command; its exit code and the lines of its report."""
type Served = Callable[..., dict[str, Post]]
"""What the API serves, whole, by slug."""
TOML = """+++
title = "{title}"
authors = ["Ada"]
date = 2026-01-02T03:04:05Z
+++
{body}"""
YAML = """---
title: {title}
author: Ada
date: 2026-01-02 03:04:05
---
{body}"""


def snapshot(url: URL) -> list[str]:
    """Every row of every table, with the time of its last change."""

    async def fetch() -> list[str]:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            tables = [
                (await connection.execute(text(f"SELECT t::text FROM {table} t ORDER BY 1"))).scalars().all()
                for table in ("users", "posts", "co_authorships")
            ]
        await engine.dispose()
        return [row for rows in tables for row in rows]

    return asyncio.run(fetch())


def write(folder: Path, path: str, content: str | bytes) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def front_matter(folder: Path, path: str, *lines: str, body: str = "Text.\n") -> None:
    write(folder, path, "\n".join(["---", *lines, "---", body]))
