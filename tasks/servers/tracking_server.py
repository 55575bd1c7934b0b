"""MLflow's server behind a password and with a check of where requests come from.

``python -m tasks.servers.tracking_server``: what `make ui` and `make serve` start. MLflow's own
basic authentication keeps users in a database of its own and lets pages of other ports of this
machine in (docs/decisions/0010-one-password-before-both-servers.md).
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from mmdet2tflite.cli.command_line import run_command
from mmdet2tflite.safe_text import without_password
from tasks.servers import databases
from tasks.servers.databases import check_mlflow
from tasks.servers.doors import HOST, Door, hosts, listen
from tasks.servers.password import service_password

SECONDS_TO_STOP = 10
DATABASE = "MLFLOW_BACKEND_STORE_URI"
"""MLflow's own variable for a database that is not in the folder; it may hold a password."""
FILES = "./mlartifacts"
"""Where MLflow keeps what clients send it, unless told otherwise."""
OWN_DOOR = {
    # What Door lets through, MLflow need not doubt; its own check takes all private addresses.
    "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nobody here has such jobs
}


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = HOST,
    port: int = 5000,
    tracking: Annotated[Path, typer.Option(help="Folder.")] = Path("mlruns"),
    artifacts_destination: Annotated[str, typer.Option(help="Of its clients' files.")] = FILES,
) -> None:
    """Serve until told to end.

    Raises:
        ConfigError: the file of the password is not safe, or the user's own has a wrong form.
        ServiceError: the port is taken, or the database cannot be used.
    """
    password = service_password()
    database = os.environ.get(DATABASE) or _own_database(tracking)
    place = listen(port, "MLflow", "--port, `make ui PORT=…`", host)
    import uvicorn  # before MLflow, which looks whether it is a server

    _name_stores(database, artifacts_destination)
    from mlflow.server.fastapi_app import app

    print(f"MLflow   http://{host}:{port}  on {without_password(database)}")
    print(f"password {password.place}", flush=True)
    door = Door(app, hosts(port), password.value)
    config = uvicorn.Config(door, log_level="error", timeout_graceful_shutdown=SECONDS_TO_STOP)
    uvicorn.Server(config).run(sockets=[place])


def _own_database(tracking: Path) -> str:
    check_mlflow(tracking / databases.DATABASE)
    tracking.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{tracking.absolute() / databases.DATABASE}"


def _name_stores(database: str, files: str) -> None:
    """As MLflow's own command tells its server, by variables of its own."""
    os.environ.update(OWN_DOOR)
    from mlflow.server import constants, handlers
    from mlflow.store.tracking import DEFAULT_ARTIFACTS_URI

    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: database,
        constants.REGISTRY_STORE_URI_ENV_VAR: database,
        constants.ARTIFACT_ROOT_ENV_VAR: DEFAULT_ARTIFACTS_URI,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: files,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    handlers.initialize_backend_stores(database, database, DEFAULT_ARTIFACTS_URI)


if __name__ == "__main__":
    run_command(serve)
