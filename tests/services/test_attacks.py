"""What another page, another user and another command get of `make serve`: nothing."""

import asyncio
import json
from typing import Any

import httpx
import psutil
import pytest
import websockets

from flows.services.serve import POOL, TEMPLATE
from tests.services.conftest import ROOT, Service

pytestmark = pytest.mark.services

FOREIGN = "http://elsewhere.example"
COMMAND = "python -m mmdet2tflite.processes.child prefect.engine"
NEVER = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
SOCKETS = (
    "events/in",
    "events/out",
    "logs/out",
    "task_runs/subscriptions/scheduled",
    f"work_pools/{POOL}/workers/connect",
)


def doors(service: Service) -> list[tuple[str, dict[str, Any]]]:
    """A request that gives a command, of each server."""
    deployment = service.ask("GET", "deployments/name/detector-to-tflite/main")
    run = f"{service.prefect}/api/deployments/{deployment['id']}/create_flow_run"
    experiment = f"{service.mlflow}/ajax-api/2.0/mlflow/experiments/create"
    return [(run, {"state": NEVER}), (experiment, {"name": "made-by-a-stranger"})]


def run_count(service: Service) -> int:
    return service.ask("POST", "flow_runs/count", {})


@pytest.mark.parametrize(
    ("headers", "password", "status"),
    [
        ({"Origin": FOREIGN}, None, 403),
        ({"Origin": FOREIGN}, "right", 403),  # which a browser may know
        ({"Origin": "null"}, "right", 403),
        ({"Origin": "http://127.0.0.1:9"}, "right", 403),
        ({"Origin": FOREIGN, "Content-Type": "text/plain"}, "right", 403),
        ({"Host": "elsewhere.example"}, "right", 403),
        ({"Host": "elsewhere.example", "X-Forwarded-Host": "127.0.0.1"}, "right", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "right", 403),
        ({}, None, 401),
        ({}, "wrong", 401),
    ],
)
def test_strangers_are_refused_and_nothing_happens(service, headers, password, status):
    user, right = service.password
    known = {"right": (user, right), "wrong": (user, "wrong"), None: None}[password]
    before = run_count(service)
    for url, body in doors(service):
        sent = {"Content-Type": "application/json", **headers}
        answer = httpx.post(url, content=json.dumps(body), headers=sent, auth=known, timeout=60)
        assert (url, answer.status_code) == (url, status)
        assert "access-control-allow-origin" not in answer.headers
    assert run_count(service) == before
    assert service.client().get_experiment_by_name("made-by-a-stranger") is None


def test_the_servers_own_pages_with_the_password_are_served(service):
    for base in (service.prefect, service.mlflow):
        page = httpx.get(base, follow_redirects=True, auth=service.password, timeout=60)
        assert "<html" in page.text
    settings = httpx.get(f"{service.prefect}/ui-settings", timeout=60).json()
    assert (settings["auth"], settings["api_url"]) == ("BASIC", "/api")
    for name in ("127.0.0.1", "localhost"):
        base = service.prefect.replace("127.0.0.1", name)
        answer = httpx.post(
            f"{base}/api/deployments/filter",
            json={},
            headers={"Origin": base, "Sec-Fetch-Site": "same-origin"},
            auth=service.password,
            timeout=60,
        )
        assert len(answer.json()) == 5


@pytest.mark.parametrize(
    "path",
    [
        "ajax-api/2.0/mlflow/experiments/search",
        "api/2.0/mlflow-artifacts/artifacts",
        "get-artifact?path=model.tflite&run_uuid=0",
        "ajax-api/3.0/mlflow/assistant/config",
        "gateway/any/mlflow/invocations",
        "graphql",
        "version",
        "",
    ],
)
def test_mlflow_says_nothing_without_the_password(service, path):
    for method in ("GET", "POST", "PUT"):
        answer = httpx.request(method, f"{service.mlflow}/{path}", timeout=60)
        assert (method, answer.status_code) == (method, 401)


def test_web_sockets_want_the_password_and_a_page_of_their_own(service):
    secret = ":".join(service.password)

    async def hear(path: str, token: str | None, origin: str | None = None) -> str:
        url = f"ws{service.prefect[4:]}/api/{path}"
        try:
            async with websockets.connect(url, subprotocols=["prefect"], origin=origin) as socket:
                await socket.send(json.dumps({"type": "auth", "token": token}))
                return json.loads(await socket.recv())["type"]
        except (websockets.InvalidStatus, websockets.ConnectionClosed) as error:
            return type(error).__name__

    for path in SOCKETS:
        answers = [
            asyncio.run(hear(path, secret, service.prefect)),
            asyncio.run(hear(path, secret, FOREIGN)),
            asyncio.run(hear(path, secret, "null")),
            asyncio.run(hear(path, "wrong")),
            asyncio.run(hear(path, None)),
        ]
        closed = ["ConnectionClosedError"] * 2
        assert answers == ["auth_success", *["InvalidStatus"] * 2, *closed], path


def test_the_password_stands_in_its_file_alone(service):
    _, secret = service.password
    for process in [psutil.Process(service.process.pid), *service.family()]:
        assert secret not in " ".join(process.cmdline())
    for path in service.folder.rglob("*"):
        if path.is_file() and path.parent != service.home and path.stat().st_size < 10**8:
            assert secret.encode() not in path.read_bytes(), path
    assert secret not in (service.home / "mmdet2tflite.sh").read_text()
    assert secret not in (service.folder / "serve.log").read_text()


def test_without_a_password_commands_say_where_it_is(service):
    bare = {name: value for name, value in service.environment.items() if "AUTH" not in name}
    stranger = Service(
        service.folder, service.home, service.process, bare, service.prefect, service.mlflow
    )
    done = stranger.command("flows", "configs/experiments/digits.yaml")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "wants a password" in done.stderr
    assert f"source {service.home / 'mmdet2tflite.sh'}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"command": "touch {}"},
        {"env": {"LD_PRELOAD": "{}"}},
        {"env.PATH": "{}"},
        {"working_dir": "{}"},
        {"command": COMMAND},
    ],
)
def test_no_run_changes_its_command_folder_or_environment(service, variables):
    deployment = service.ask("GET", "deployments/name/detector-to-tflite/main")
    path = f"deployments/{deployment['id']}"

    def status(method: str, place: str, body: object) -> tuple[int, str]:
        url = f"{service.prefect}/api/{place}"
        answer = httpx.request(method, url, json=body, auth=service.password, timeout=60)
        return answer.status_code, answer.text

    wanted = {"job_variables": variables}
    code, text = status("POST", f"{path}/create_flow_run", {**wanted, "state": NEVER})
    assert (code, "was unexpected" in text) == (422, True)
    run = service.ask("POST", f"{path}/create_flow_run", {"state": NEVER})
    assert status("PATCH", f"flow_runs/{run['id']}", wanted)[0] == 422
    service.ask("DELETE", f"flow_runs/{run['id']}")
    assert status("PATCH", path, {**wanted, "work_pool_name": POOL})[0] == 409
    # Without the pool's name Prefect keeps it; no run can be made, and the template ignores it.
    status("PATCH", path, wanted)
    assert status("POST", f"{path}/create_flow_run", {"state": NEVER})[0] == 422
    service.ask("PATCH", path, {"job_variables": {}})


def test_the_pool_has_the_template_of_this_version_which_takes_no_variable(service):
    template = service.ask("GET", f"work_pools/{POOL}")["base_job_template"]
    assert template == json.loads((ROOT / TEMPLATE).read_text())
