"""Runs and what they start, with small programs in place of a run."""

import signal
import subprocess
import sys
import time

import pytest

from benchmarks.chaos.processes import Run, marked

ASLEEP = "import time; print('up', flush=True); time.sleep(60)"
LEAVES_A_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("left", flush=True)
"""
IGNORED = """
import pathlib, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from benchmarks.chaos.__main__ import let_runs_hear_signals
from benchmarks.chaos.processes import Run
let_runs_hear_signals()
run = Run("test-ignored", pathlib.Path(sys.argv[1]), ["-c", sys.argv[2]], {})
assert run.until(lambda: "up" in run.output)
assert run.strike(run.targets("flow")[0], signal.SIGHUP, lambda: True)
print(run.end(30).status)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.chaos.processes.SECONDS_TO_DIE", 0.5)
    return lambda code: Run(f"test-{tmp_path.name}", tmp_path / "log", ["-c", code], {})


def test_a_signal_reaches_a_run_whose_stage_still_runs(start):
    run = start(ASLEEP)
    assert run.until(lambda: "up" in run.output)
    assert run.strike(run.targets("flow")[0], signal.SIGTERM, lambda: True)
    ended = run.end(30)
    assert ended.status == -signal.SIGTERM
    assert ended.after_blow is not None


def test_a_blow_that_would_miss_is_not_struck_and_the_run_goes_on(start):
    run = start(ASLEEP)
    assert run.until(lambda: "up" in run.output)
    assert not run.strike(run.targets("flow")[0], signal.SIGKILL, lambda: False)
    time.sleep(0.2)
    assert run.alive
    assert run.end(0).status is None  # over its limit, so it was stopped
    assert marked(run.mark) == []


def test_what_a_run_leaves_is_an_orphan_and_does_not_live_on(start):
    ended = start(LEAVES_A_CHILD).end(30)
    assert ended.status == 0
    (orphan,) = ended.orphans
    assert "time.sleep(60)" in orphan


def test_a_run_hears_a_signal_that_the_harness_was_told_to_ignore(tmp_path):
    words = [sys.executable, "-c", IGNORED, str(tmp_path / "log"), ASLEEP]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(-signal.SIGHUP), done.stderr
