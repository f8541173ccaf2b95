"""Virtual environments of their own, and a copy of the checkout to install in one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.laws import ROOT


def uv() -> Path:
    """The `uv` of the PATH, or the one that `make` installs into the checkout."""
    if found := shutil.which("uv") or shutil.which(ROOT / ".uv" / "bin" / "uv"):
        return Path(found)
    pytest.skip("uv is neither on the PATH nor in .uv/bin")


def run(command: list[str | Path], cwd: Path, **variables: str) -> str:
    """The command's output. What uv fetches comes from its cache when that has everything, which is ten times as fast.

    Skips the test when what has to be fetched can't be: a machine without a registry.
    """
    done = attempt(command, cwd, UV_OFFLINE="1", **variables)
    if done.returncode:
        done = attempt(command, cwd, **variables)
    if done.returncode and "Failed to fetch" in done.stderr:
        pytest.skip(f"no registry: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(command: list[str | Path], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(uv().parent), os.environ["PATH"]])
    # Whatever environment the tests themselves run in is nobody's business here.
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "PATH": path, "ENVIRONMENT": "development", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def make_environment(folder: Path, requirements: str) -> Path:
    """A new virtual environment with one of the requirements files, hashes required; the folder of its programs."""
    run([uv(), "venv", "--quiet", "--python", sys.executable, folder], ROOT)
    install(folder, "--require-hashes", "-r", requirements)
    return folder / "bin"


def install(environment: Path, *arguments: str) -> None:
    run([uv(), "pip", "install", "--quiet", *arguments], ROOT, VIRTUAL_ENV=str(environment))


def copy_checkout(folder: Path) -> None:
    """What a commit of everything here would hold: neither what git ignores nor its history."""
    names = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():  # a file that was deleted and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
