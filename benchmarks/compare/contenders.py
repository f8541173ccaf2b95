"""Who is measured: the service of one checkout or of several, and the baselines."""

import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from benchmarks.compare.database import dsn
from benchmarks.compare.environments import ROOT, modules_of, python_of
from benchmarks.compare.failures import BenchmarkError

BASELINES = Path(__file__).parents[1] / "baselines"
UVICORN = ("-m", "uvicorn", "app:app", "--port", "{port}", "--workers", "{workers}")
QUIET = ("--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "75")

# From the limit upwards. Each logs nothing, checks next to nothing and knows no caller; only the service does.
TITLES = {
    "driver": "asyncpg alone, without HTTP",
    "bare": "bare ASGI + asyncpg",
    "tutorial": "FastAPI + ORM as in tutorials",
    "litestar": "Litestar + Advanced Alchemy",
    "django": "Django Ninja, asynchronous",
    "fastify": "Fastify + Drizzle (Node)",
}


@dataclass(frozen=True)
class Contender:
    name: str
    title: str
    command: tuple[str, ...]
    """With {port} and {workers}; the driver's is called for each measurement."""
    prefix: str = ""
    checkout: Path | None = None
    """Of a service."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_service(self) -> bool:
        return self.checkout is not None

    @property
    def is_driver(self) -> bool:
        return self.name == "driver"

    def environment_with(self, url: URL) -> dict[str, str]:
        if self.is_service:
            address = url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        else:
            address = dsn(url)
        return {**self.environment, "DATABASE_URL": address}


def services(checkouts: Sequence[str]) -> list[Contender]:
    """Of `DIR` or `DIR,NAME=VALUE,…` with settings. One is called `service`; several are called after their folders."""
    parts = [checkout.split(",") for checkout in checkouts or [str(ROOT)]]
    folders = [Path(folder).resolve() for folder, *_ in parts]
    names = [folder.name for folder in folders] if len(folders) > 1 else ["service"]
    return [
        _service(folder, _distinct(names, number), settings)
        for number, (folder, (_, *settings)) in enumerate(zip(folders, parts, strict=True))
    ]


def python_in(checkout: Path) -> Path:
    python = checkout / ".venv" / "bin" / "python"
    if not (checkout / "app" / "main.py").exists() or not python.exists():
        raise BenchmarkError(f"{checkout} is no checkout with an environment: run `make .venv/.ready` in it")
    return python


def baseline(name: str, cache: Path) -> Contender:
    """A baseline, installed."""
    folder = BASELINES / ("bare" if name == "driver" else name)
    if name == "fastify":
        place = modules_of(folder, cache)
        return Contender(name, TITLES[name], ("node", str(place / "server.mjs"), "{port}", "{workers}"))
    python = str(python_of(folder, cache))
    if name == "driver":
        return Contender(name, TITLES[name], (python, str(folder / "driver.py")))
    return Contender(name, TITLES[name], (python, *UVICORN, "--app-dir", str(folder), *QUIET))


def missing(name: str) -> str | None:
    """Why a baseline can't run here."""
    if name == "fastify" and not (shutil.which("node") and shutil.which("npm")):
        return "no node and npm on the PATH"
    return None


def _service(checkout: Path, name: str, settings: Sequence[str]) -> Contender:
    """As it ships: in production, with its log, its limits and its hosts."""
    if wrong := [setting for setting in settings if not re.fullmatch(r"[A-Z_]+=.*", setting)]:
        raise BenchmarkError(f"--service: {wrong[0]!r} is no setting; write DIR,NAME=VALUE")
    command = (str(python_in(checkout)), "-m", "app.cli.main", "serve", "--port", "{port}", "--workers", "{workers}")
    environment = {
        "ENVIRONMENT": "production",
        "SECRET_KEYS": f"bench:{secrets.token_urlsafe(32)}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "ACCESS_TOKEN_LIFETIME": "3600",
        **dict(setting.split("=", 1) for setting in settings),
    }
    title = (
        " ".join([f"the service of {checkout}", *settings])
        if settings or name != "service"
        else "the service as it ships"
    )
    return Contender(name, title, command, "/api/v1", checkout, environment)


def _distinct(names: list[str], number: int) -> str:
    before = names[:number].count(names[number])
    return names[number] + (f"-{before + 1}" if before else "")
