"""A Prefect server for one run, where the settings name none.

Prefect starts one by itself, too, but late (imports are over) and after importing all of the server
into the flow's own process; and a run that is killed leaves it behind. This one starts while the
flow's modules are imported, and dies with the run.

``python -m tasks.server FD``: the child, which serves at an open socket. ``FD service`` serves as
`make serve` does, with the user interface, schedules and all.
"""

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from mmdet2tflite.errors import ServiceError
from mmdet2tflite.lock import exclusive
from mmdet2tflite.safe_text import without_password

SECONDS_TO_START = 300
"""The first start, on an empty database, takes 20 s on a machine that is not busy."""
SECONDS_TO_ANSWER = 10
ATTEMPTS = 3
DATABASE_LOCK = "mmdet2tflite-database.lock"
SECONDS_TO_STOP = 10
"""It writes down what it was told last."""


def start_server() -> Callable[[], None]:
    """Start a server and let this process's settings name it, unless they name one already.

    Returns:
        A function that waits until the server answers. It raises httpx.HTTPError if one of our own
        never will, ServiceError if that of the settings does not.
    """
    from prefect.context import refresh_global_settings_context
    from prefect.settings import get_current_settings

    named = get_current_settings().api.url
    if named:
        return lambda: check_server(
            "Prefect", f"{named}/health", "start it, or correct PREFECT_API_URL"
        )
    with socket.create_server(("127.0.0.1", 0)) as place:  # whoever calls early waits in its queue
        url = f"http://127.0.0.1:{place.getsockname()[1]}/api"
        server = subprocess.Popen(
            [sys.executable, "-m", "mmdet2tflite.child", __name__, str(place.fileno())],
            pass_fds=[place.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the run's, which has something to report still
        )
    atexit.register(_stop, server)
    os.environ["PREFECT_API_URL"] = url
    refresh_global_settings_context()
    return lambda: _wait(url)


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


def _wait(url: str) -> None:
    httpx.get(f"{url}/health", timeout=SECONDS_TO_START).raise_for_status()


def _make_database() -> None:
    """Prefect's tables, or those that a newer version adds: two servers must not do so at once."""
    from prefect.server.database import provide_database_interface
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    if settings.server.database.migrate_on_start:
        with exclusive(Path(settings.home) / DATABASE_LOCK):
            asyncio.run(provide_database_interface().create_db())


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> None:
    """Serve until told to end."""
    import uvicorn
    from prefect.server.api.server import create_app

    _make_database()
    app = create_app(ephemeral=sys.argv[2:] != ["service"], final=True)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=SECONDS_TO_STOP)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
