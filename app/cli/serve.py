"""The command `serve`: the API on a socket, with development's database behind it when none is configured."""

import os
import signal
import socket
import sys
from functools import partial
from multiprocessing import parent_process
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn
from uvicorn.supervisors import ChangeReload

from app.api.protocol import BoundedProtocol, limits_of
from app.cli.first_contact import require_revision, warn_of_too_few_connections
from app.cli.server import Server, Supervisor
from app.core.config import Settings, load_settings
from app.core.logs import configure_logging
from app.core.metrics import SHARED_FOLDER
from app.core.product import COMMAND, NAME
from app.db.provision import ready_database_url

# What the end of a terminal sends; Windows has no SIGHUP, and Ctrl-Break comes closest.
HANG_UP = signal.Signals["SIGBREAK" if sys.platform == "win32" else "SIGHUP"]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes that serve.", min=1, max=256)] = 1,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when the code changes.")] = False,
) -> None:
    """Serve the API until Ctrl-C, SIGTERM or the end of the terminal.

    Without DATABASE_URL (never in production) it starts a PostgreSQL of its own under .data/ and migrates it.
    With it, the database has to be at the revision that this code needs.
    """
    settings = load_settings()
    configure_logging(settings)
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(HANG_UP) is not signal.SIG_IGN:  # nohup ignores it, and so must we
        signal.signal(HANG_UP, _hang_up)
    with _listen(host, port) as listener, ready_database_url(settings) as url:
        if settings.database_url:
            require_revision(url)
        warn_of_too_few_connections(url, settings, workers=workers)
        base = _url_of(listener)
        if not (settings.is_production or "public_url" in settings.model_fields_set):
            os.environ["PUBLIC_URL"] = base  # for the links in mails
        _announce(settings, base)
        _serve(_config(settings, workers=workers, reload=reload), listener, grace=settings.grace_before_stop)
        _ignore_signals()


def _config(settings: Settings, *, workers: int, reload: bool) -> uvicorn.Config:
    return uvicorn.Config(
        "app.main:app",
        http=partial(BoundedProtocol, limits=limits_of(settings)),  # type: ignore[arg-type]  # it is only called
        ws="none",
        timeout_keep_alive=settings.http_keep_alive,
        workers=workers,
        reload=reload,
        reload_dirs=["app"] if reload else None,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=15,
        # Seconds without an answer, after which a worker is replaced. It answers once it has imported the service,
        # for which the default of 5 is too little on a busy machine.
        timeout_worker_healthcheck=30,
        callback_notify=_end_without_parent,
        timeout_notify=0,  # with each of uvicorn's ticks, which is once a second
    )


def _serve(config: uvicorn.Config, listener: socket.socket, *, grace: float) -> None:
    server = Server(config, grace=grace)
    if config.should_reload:
        ChangeReload(config, target=server.run, sockets=[listener]).run()
    elif config.workers > 1:
        _run_workers(config, listener)
    else:
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return  # uvicorn raises Ctrl-C once more after it has shut down
        if not server.started:
            sys.exit(1)


def _run_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    with TemporaryDirectory() as folder:
        os.environ.setdefault(SHARED_FOLDER, folder)
        _supervise(config, listener)


def _supervise(config: uvicorn.Config, listener: socket.socket) -> None:
    hang_up = signal.getsignal(HANG_UP)
    supervisor = Supervisor(config, sockets=[listener])
    signal.signal(HANG_UP, hang_up)  # with uvicorn's handler it would start new workers
    supervisor.run()


async def _end_without_parent() -> None:
    """End a worker as SIGTERM does when the process that started it is gone: killed, it could tell nobody."""
    parent = parent_process()
    if parent and not parent.is_alive():
        signal.raise_signal(signal.SIGTERM)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends the process as Ctrl-C does: through every `with`, so that the database stops too."""
    _ignore_signals()
    sys.exit(0)


def _hang_up(_signal: int, _frame: FrameType | None) -> None:
    """Treat a closed terminal like SIGTERM, which uvicorn handles while it serves, and `_leave` before and after."""
    signal.raise_signal(signal.SIGTERM)


def _ignore_signals() -> None:
    """Only the database has still to stop, and another signal would leave it behind: a terminal sends several."""
    for number in (signal.SIGINT, signal.SIGTERM, HANG_UP):
        signal.signal(number, signal.SIG_IGN)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; connections wait in its queue until the service is up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.set_inheritable(True)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        typer.echo(f"{COMMAND}: can't listen on {host}:{port}: {reason}. Another port: PORT=9001 make serve", err=True)
        raise typer.Exit(1) from None
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _announce(settings: Settings, base: str) -> None:
    typer.echo(f"{NAME} serves on {base} - documentation at {base}/docs - Ctrl-C stops everything.")
    if settings.database_url is None:
        typer.echo(f"Its PostgreSQL keeps its data in {settings.data_dir / 'postgres'}.")
    typer.echo(f"Try:  curl '{base}/api/v1/users?limit=2'")
    sys.stdout.flush()
