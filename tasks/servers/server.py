"""Which Prefect server a run uses, and how one serves.

``python -m tasks.servers.server FD``: a server at an open socket; ``FD service``: that of
`make serve`, with the user interface, schedules and all.
"""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpx

from mmdet2tflite.errors import ServiceError
from mmdet2tflite.processes.lock import exclusive
from mmdet2tflite.safe_text import without_password
from tasks.servers.databases import TRACKING_URI
from tasks.servers.doors import Door, hosts, origins
from tasks.servers.own_server import SECONDS_TO_STOP, OwnServer, answers, end_run
from tasks.servers.password import (
    check_prefect_password,
    chosen_password,
    home,
    run_password,
)

SECONDS_TO_ANSWER = 10
ATTEMPTS = 3
SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_TO_BE_SILENT = 60.0
"""A network may fail for a moment; a training does not mind."""
DATABASE_LOCK = "mmdet2tflite-database.lock"
"""Held until a server has started: two that fill an empty database at once stumble over each other
(its tables, then its rows of block types)."""


def is_alone() -> bool:
    """Whether a run uses no servers of others: they are asked before anything is made."""
    from prefect.settings import get_current_settings

    return not (get_current_settings().api.url or os.environ.get(TRACKING_URI))


def start_server() -> Callable[[], None]:
    """Start a server and let this process's settings name it, unless they name one already.

    Returns:
        A function that waits until the server answers. It raises ServiceError if that of the
        settings does not, or wants another password.
    """
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    named = get_current_settings().api.url
    if named:
        return lambda: _rely_on(named)
    os.environ.update(run_password().environment)
    server = OwnServer()
    os.environ["PREFECT_API_URL"] = server.url
    refresh_global_settings_context()
    return server.wait


def _rely_on(url: str) -> None:
    """Check a server, and end the run if it goes away later. Raises ServiceError."""
    check_prefect(url)
    threading.Thread(target=_watch, args=(url,), daemon=True, name="watch-server").start()


def _watch(url: str) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < SECONDS_TO_BE_SILENT:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        if answers(url, SECONDS_TO_ANSWER):
            heard = time.monotonic()
    end_run(without_password(f"Prefect's server at {url} is silent for {SECONDS_TO_BE_SILENT:g} s"))


def check_prefect(url: str) -> None:
    """Raises ServiceError if no server answers there, or it wants another password."""
    check_server("Prefect", f"{url}/health", "start it, or correct PREFECT_API_URL")
    check_prefect_password(url)


def check_server(name: str, health: str, remedy: str) -> None:
    """Ask a server how it is. Raises ServiceError if it does not say."""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)
        try:
            httpx.get(health, timeout=SECONDS_TO_ANSWER).raise_for_status()
            return
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
    raise ServiceError(
        without_password(f"no {name} server answers at {health.removesuffix('/health')}: {reason}"),
        "a server that runs, at an address that this machine reaches",
        remedy,
    )


def _make_database() -> None:
    """Prefect's tables, or those that a newer version adds."""
    from prefect.server.database import provide_database_interface
    from prefect.settings import get_current_settings

    if get_current_settings().server.database.migrate_on_start:
        asyncio.run(provide_database_interface().create_db())


def main() -> None:
    """Serve until told to end. Raises RuntimeError where no password is set."""
    place = socket.socket(fileno=int(sys.argv[1]))
    names = hosts(place.getsockname()[1])
    # Read when Prefect is imported. Its pages find their server by any of its names.
    os.environ |= {
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins(names),
        "PREFECT_UI_API_URL": "/api",
    }

    import uvicorn
    from prefect.server.api.server import create_app

    if not chosen_password():
        raise RuntimeError("a server without a password: see tasks/servers/password.py")
    app = Door(create_app(ephemeral=sys.argv[2:] != ["service"], final=True), names)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=int(SECONDS_TO_STOP))
    with ExitStack() as alone:
        alone.enter_context(exclusive(home() / DATABASE_LOCK))
        _make_database()  # here a signal still ends it at once

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                alone.close()

        Server(config).run(sockets=[place])


if __name__ == "__main__":
    main()
