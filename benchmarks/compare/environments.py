"""What a baseline needs, installed into an environment of its own below the cache folder, never into the project's."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.compare.failures import BenchmarkError

ROOT = Path(__file__).parents[2]
READY = ".ready"


def python_of(folder: Path, cache: Path) -> Path:
    """The interpreter of an environment with the folder's pinned requirements."""
    requirements = folder / "requirements.txt"
    place = cache / "environments" / f"{folder.name}-{_digest(requirements.read_bytes(), sys.version.encode())}"
    python = place / "bin" / "python"
    if not (place / READY).exists():
        uv = _uv()
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
        _run([uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(requirements)])
        (place / READY).touch()
    return python


def modules_of(folder: Path, cache: Path) -> Path:
    """A copy of the folder with its Node packages."""
    lock = folder / "package-lock.json"
    place = cache / "environments" / f"{folder.name}-{_digest(lock.read_bytes())}"
    if not (place / READY).exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, place)
        _run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)])
        (place / READY).touch()
    for file in folder.glob("*.mjs"):
        shutil.copy(file, place)
    return place


def _uv() -> str:
    own = ROOT / ".uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        raise BenchmarkError("uv is missing: run `make .venv/.ready`, which installs it into .uv/")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:3])} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
