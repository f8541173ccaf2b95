"""The application from its start to its end, and what it offers for tests to replace."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL

from app.api.deps import AppSettings, get_settings
from app.core.config import load_settings
from app.main import create_app
from tests.support.accounts import USERS
from tests.support.application import client_of, make_settings
from tests.support.process import data_folder


async def serves_users(app: FastAPI) -> bool:
    async with app.router.lifespan_context(app), client_of(app, headers={}) as client:
        response = await client.get(USERS)
        return response.status_code == 200 and response.json() == {"items": [], "next_cursor": None}


async def test_without_a_database_url_it_brings_a_migrated_database_of_its_own() -> None:
    with data_folder() as folder:
        settings = load_settings(_env_file=None, environment="test", data_dir=folder)

        assert await serves_users(create_app(settings))

        assert (folder / "postgres").is_dir()


async def test_with_a_database_url_it_uses_that_one(live_url: URL, tmp_path: Path) -> None:
    app = create_app(make_settings(live_url, data_dir=tmp_path))

    assert await serves_users(app)

    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("override", [None, "console"])
async def test_a_route_gets_the_applications_settings_or_a_tests_own(override: str | None) -> None:
    app = create_app(make_settings(log_format="json"))

    @app.get("/format")
    async def format_of(settings: AppSettings) -> str | None:
        return settings.log_format

    if override:
        app.dependency_overrides[get_settings] = lambda: make_settings(log_format=override)

    async with client_of(app) as client:
        assert (await client.get("/format")).json() == (override or "json")
