"""What Prefect's automations do: messages about failures and promotions, silent runs ended."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.servers.password import CLIENT
from tests.services.conftest import ROOT, SECONDS_TO_RUN, Service

pytestmark = pytest.mark.services

NOBODY = "configs/experiments/nobody.yaml"
DECIDED = """
from flows.retrain import announce_decision
from tasks.tracking.version import Version
for number, sentence in ("4", 'promoted: "mirror"; mAP 0.4'), ("5", "refused: widen; too slow"):
    announce_decision(Version("digits", number, "", {}, "", ()), sentence)
"""

DECISION = "mmdet2tflite: a promotion was decided"
FAILURE = "mmdet2tflite: a run failed"
SILENT = "mmdet2tflite: a run fell silent"
DIES = """
import os, signal, sys, time
from prefect import flow

@flow
def dies():
    time.sleep(5)  # its first sign of life is on its way
    os.kill(os.getpid(), signal.SIGKILL)

dies.with_options(flow_run_name=sys.argv[1])()
"""


class Listener(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.posted: list[dict] = []

    def wait_for(self, count: int) -> list[dict]:
        """So many different messages: Prefect delivers each at least once."""
        deadline = time.monotonic() + SECONDS_TO_RUN
        while len(different := _different(self.posted)) < count:
            assert time.monotonic() < deadline, self.posted
            time.sleep(0.2)
        assert len(different) == count, different
        return different


def _different(messages: list[dict]) -> list[dict]:
    return [each for number, each in enumerate(messages) if each not in messages[:number]]


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # http.server's name
        length = int(self.headers["Content-Length"])
        assert self.headers["Content-Type"] == "application/json"
        self.server.posted.append(json.loads(self.rfile.read(length)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener(service: Service) -> Iterator[Listener]:
    """Registered as the webhook for as long as the test runs."""
    with Listener() as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/hook"
        for _ in range(2):  # the second one replaces the first one's automations
            done = service.command("flows.services.automations", "--webhook", url)
            assert done.returncode == 0, done.stdout + done.stderr
        yield listener
        for automation in service.ask("POST", "automations/filter"):
            service.ask("DELETE", f"automations/{automation['id']}")
        listener.shutdown()


def test_an_automation_that_is_registered_again_is_there_once(service, listener):
    found = service.ask("POST", "automations/filter")
    assert sorted(each["name"] for each in found) == [DECISION, FAILURE, SILENT]


def test_each_run_that_fails_and_each_decision_is_one_message(service, listener):
    def fail() -> str:
        words = ("deployment", "run", "retrain/weekly", "--watch")
        done = service.command("prefect", *words, f"--param=experiment_file={NOBODY}")
        assert done.returncode != 0
        return done.stdout

    said = fail()
    (message,) = listener.wait_for(1)
    assert (message["deployment"], message["state"]) == ("retrain/weekly", "Failed")
    assert message["run"] in said
    assert message["text"] == f"retrain/weekly: {message['run']} Failed"
    assert "nobody.yaml" in message["reason"]
    assert message["url"].startswith("http")

    subprocess.run(
        [sys.executable, "-c", DECIDED], cwd=ROOT, env=service.environment, check=True, timeout=600
    )
    _, *decisions = listener.wait_for(3)
    decisions.sort(key=lambda each: each["version"])
    assert decisions == [
        {
            "text": 'digits promoted: "mirror"; mAP 0.4',
            "model": "digits",
            "version": "4",
            "promoted": True,
            "decision": 'promoted: "mirror"; mAP 0.4',
        },
        {
            "text": "digits refused: widen; too slow",
            "model": "digits",
            "version": "5",
            "promoted": False,
            "decision": "refused: widen; too slow",
        },
    ]
    fail()
    assert [each.get("state") for each in listener.wait_for(4)] == ["Failed", None, None, "Failed"]


def test_a_run_that_fell_silent_is_marked_as_crashed(service, listener):
    found = service.ask("POST", "automations/filter")
    (automation,) = (each for each in found if each["name"] == SILENT)
    automation["trigger"]["within"] = 10  # seconds, the least that Prefect takes
    new = {name: automation[name] for name in ("name", "description", "trigger", "actions")}
    service.ask("PUT", f"automations/{automation['id']}", new)

    died = subprocess.run([sys.executable, "-c", DIES, "dead"], env=service.environment)
    assert died.returncode == -signal.SIGKILL

    def state() -> dict:
        wanted = {"flow_runs": {"name": {"any_": ["dead"]}}}
        (run,) = service.ask("POST", "flow_runs/filter", wanted)
        return run["state"]

    assert state()["type"] == "RUNNING"
    deadline = time.monotonic() + SECONDS_TO_RUN
    while state()["type"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(1)
    assert state()["type"] == "CRASHED"
    assert "Not heard of for ten minutes" in state()["message"]


@pytest.mark.parametrize(
    ("url", "environment", "message"),
    [
        ("hooks.example.com", {}, "'hooks.example.com' is no address of a webhook"),
        ("http://127.0.0.1:9", {"PREFECT_API_URL": ""}, "no Prefect server is named"),
        (
            "http://127.0.0.1:9",
            {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
            "no Prefect server answers at http://127.0.0.1:9/api",
        ),
        ("http://127.0.0.1:9", {CLIENT: ""}, "wants a password"),
        ("http://127.0.0.1:9", {CLIENT: "me:wrong"}, "wants another password"),
    ],
)
def test_mistakes_are_messages_with_status_2(service, url, environment, message):
    done = subprocess.run(
        [sys.executable, "-m", "flows.services.automations", "--webhook", url],
        cwd=ROOT,
        env={**service.environment, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
