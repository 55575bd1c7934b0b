"""A process whose time of day is set back while its other clocks go on."""

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.chaos.surroundings import turnable_clock

CODE = """
import datetime, pathlib, sys, threading, time
before, day, steady = time.time(), datetime.datetime.now(), time.monotonic()
pathlib.Path(sys.argv[1]).touch()
time.sleep(0.01)
threading.Event().wait(0.01)
assert 0 < time.monotonic() - steady < 3600
print(round((before - time.time()) / 3600), round((day - datetime.datetime.now()).seconds / 60))
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_time_of_day_goes_back_and_what_waits_goes_on_waiting(tmp_path):
    variables, clock = turnable_clock(tmp_path)
    words = [sys.executable, "-c", CODE, str(clock)]
    done = subprocess.run(
        words, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60
    )
    hours, minutes_short_of_a_day = done.stdout.split()
    assert hours == "24", done.stderr
    assert minutes_short_of_a_day == "1440", done.stderr
