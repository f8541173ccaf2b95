"""What the pyproject.toml files declare, and what the requirements files pin."""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.laws import ROOT

BASELINES = tuple(file.relative_to(ROOT).as_posix() for file in sorted(ROOT.glob("benchmarks/baselines/*/*.in")))
FILES = (
    *("requirements.txt", "requirements-dev.txt", "requirements-uv.txt"),
    *(name.replace(".in", ".txt") for name in BASELINES),
)
PACKAGES = sorted(file.parent for file in ROOT.glob("packages/*/pyproject.toml"))
PROJECTS = [ROOT, *PACKAGES]
PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def project(folder: Path) -> dict[str, Any]:
    """The tables of its pyproject.toml that name dependencies."""
    document = tomllib.loads((folder / "pyproject.toml").read_text())
    return {**document["project"], "groups": document.get("dependency-groups", {})}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def extras(folder: Path) -> set[str]:
    optional: dict[str, list[str]] = project(folder).get("optional-dependencies", {})
    return {name for requirements in optional.values() for name in names(requirements)}


def declared(folder: Path) -> set[str]:
    """Every distribution that it names, in whatever role."""
    groups: dict[str, list[str]] = project(folder)["groups"]
    grouped = {name for requirements in groups.values() for name in names(requirements)}
    return names(project(folder)["dependencies"]) | extras(folder) | grouped


def pins(file: str) -> set[str]:
    return {canonicalize_name(name) for name, _ in PIN.findall((ROOT / file).read_text())}
