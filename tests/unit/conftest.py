"""Fixtures of the tests that need no application."""

from pathlib import Path

import pytest


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no .env but those of the test."""
    monkeypatch.delenv("ENVIRONMENT")
    monkeypatch.chdir(tmp_path)
