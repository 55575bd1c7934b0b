"""Which server a run uses, and what is said of one that does not answer."""

import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from mmdet2tflite.errors import ServiceError
from tasks.servers import server

ROOT = Path(__file__).parents[3]


def test_none_is_started_where_the_settings_name_one(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        wait = server.start_server()
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError, match=r"no Prefect server answers at http://127.0.0.1:1/api"):
        wait()


SILENT = """
import http.server, threading, time
from tasks.servers import server
server.SECONDS_TO_BE_SILENT, server.SECONDS_BETWEEN_LOOKS = 1.0, 0.1
server.check_prefect = lambda url: None
class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
place = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Well)
threading.Thread(target=place.serve_forever, daemon=True).start()
server._rely_on(f"http://me:s3cret@127.0.0.1:{place.server_port}/api")
time.sleep(3)
print("still here", flush=True)
place.shutdown()
place.server_close()
time.sleep(60)
"""


def test_a_run_ends_with_a_line_and_status_2_when_a_named_server_is_silent_for_long():
    done = subprocess.run(
        [sys.executable, "-c", SILENT], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "still here\n")
    first, *_, remedy = done.stderr.splitlines()
    assert first.startswith("Service: Prefect's server at http://")
    assert first.endswith("is silent for 1 s")
    assert "s3cret" not in first
    assert "finished stages are kept" in remedy


def test_a_server_that_does_not_answer_is_named_without_its_password(monkeypatch):
    monkeypatch.setattr(server, "ATTEMPTS", 1)
    with pytest.raises(ServiceError) as caught:
        server.check_server("MLflow", "http://me:s3cret@127.0.0.1:1/health", "start it")
    assert "http://me:***@127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in str(caught.value)
