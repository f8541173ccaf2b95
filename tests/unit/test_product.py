"""What a fork calls its service is spelled in one place, and everything that shows or hides the name follows it."""

import re
import tomllib
from pathlib import Path

import pytest

from app.core import product
from app.core.logs import MASK, mask
from app.core.security import new_api_key

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXTS = (".py", ".html", ".mako", ".ini")


def spelling(folder: str) -> list[str]:
    """Each line below the folder that has the name, in any case, but for the module that defines it."""
    files = [file for file in (ROOT / folder).rglob("*") if file.suffix in TEXTS and file.name != "product.py"]
    return [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if product.NAME.lower() in line.lower()
    ]


@pytest.mark.parametrize("folder", ["app", "alembic", "packages"])
def test_nothing_else_spells_the_name(folder: str) -> None:
    assert spelling(folder) == []


def test_the_distribution_has_the_same_name_and_version() -> None:
    assert PROJECT["name"] == product.COMMAND
    assert list(PROJECT["scripts"]) == [product.COMMAND]
    assert PROJECT["version"] == product.VERSION


def test_the_name_leaves_a_command_that_can_be_typed() -> None:
    """A name without a letter from a to z or a digit leaves none: then COMMAND has to be written out."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", product.COMMAND)


def test_the_log_masks_the_keys_that_the_service_makes() -> None:
    key, prefix = new_api_key()

    masked = mask(None, "", {"event": f"refused {key} at the door"})

    assert masked["event"] == f"refused {MASK} at the door"
    assert prefix.startswith(product.API_KEY_PREFIX)


def test_a_key_has_room_in_its_column_whatever_the_name() -> None:
    assert len(product.API_KEY_PREFIX) + 8 <= 20
