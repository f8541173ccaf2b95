"""uvicorn's server, which doesn't pause for garbage, and stops without losing a connection."""

import asyncio
import gc
import logging
import socket
from functools import cached_property
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn import Config
from uvicorn.supervisors import multiprocess

from app.core import stopping
from app.core.config import load_settings

LAST_REQUEST = 1.0  # seconds that clients have to send what they are about to send when no more connections are taken
NEW_OBJECTS = 10_000  # by which there may be more before they are looked at; Python's default is 700

log = logging.getLogger("uvicorn.error")


class Server(uvicorn.Server):
    """Stops in four steps.

    1. Readiness turns red and every answer closes its connection. For `grace` seconds all goes on, so that a load
       balancer can see it and send its requests elsewhere.
    2. Connections that the system has accepted are taken, and the listening socket is closed at once: those that were
       left in its queue would be reset.
    3. What arrives on open connections within LAST_REQUEST is answered.
    4. uvicorn's own way: idle connections are closed, requests that have begun are finished, and the application stops.
    """

    def __init__(self, config: Config, *, grace: float) -> None:
        super().__init__(config)
        self._grace = grace

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there now stays. Full collections would look at all of it again and again, for 80 ms each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        stopping.announce()
        log.info("Stopping in %g seconds", self._grace)
        await self._go_on(self._grace)
        await self._take_waiting_connections(sockets or [])
        await self._go_on(LAST_REQUEST, only_while_connected=True)
        await super().shutdown(sockets)

    async def _go_on(self, seconds: float, *, only_while_connected: bool = False) -> None:
        """Serves on. A second Ctrl-C ends it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self.force_exit:
            if only_while_connected and not self.server_state.connections:
                return
            await self.on_tick(0)
            await asyncio.sleep(0.05)

    async def _take_waiting_connections(self, sockets: list[socket.socket]) -> None:
        # Nothing may be awaited between the last `accept` and `close`.
        waiting = [connection for each in sockets for connection in _accept_all(each)]
        for server in self.servers:
            server.close()
        for each in sockets:
            each.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            await loop.connect_accepted_socket(self._make_protocol, connection)

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )
        return made


class _Worker(multiprocess.Process):
    @cached_property
    def server(self) -> uvicorn.Server:
        return Server(self.config, grace=load_settings().grace_before_stop)


class Supervisor(multiprocess.Multiprocess):
    """Starts workers, replaces those that die, and stops them all."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn has no other place to say which

    def keep_subprocess_alive(self) -> None:
        for worker in self.processes:
            worker.child_conn.close()  # with the worker's end open here too, a dead worker looks like a slow one
        before = {worker.pid for worker in self.processes}
        super().keep_subprocess_alive()
        for gone in before - {worker.pid for worker in self.processes}:
            # Its requests aren't under way any more.
            mark_process_dead(gone)  # type: ignore[no-untyped-call]  # the library is typed in part

    def terminate_all(self) -> None:
        for each in self.sockets:
            each.close()  # the last worker's close has to be the last, for it empties the queue before
        super().terminate_all()


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    accepted: list[socket.socket] = []
    listener.setblocking(False)
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return accepted
        except OSError:  # a client that has left the queue
            continue
        connection.setblocking(False)
        accepted.append(connection)
