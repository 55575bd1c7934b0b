"""Who may work on the machine at the same time."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from mmdet2tflite.processes import machine
from mmdet2tflite.processes.interruption import interruptible

pytestmark = pytest.mark.usefixtures("own_lock", "two_cores")

SECONDS = 10.0
"""How long a test waits for what should happen at once."""
A_MOMENT = 0.4
"""How long it waits for what must not happen: several looks at a lock."""


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


class Work(threading.Thread):
    """Takes its share of the machine and keeps it until told to end."""

    def __init__(self, share: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(daemon=True)
        self._share, self.error = share, None
        self.began, self.may_end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        try:
            with self._share():
                self.began.set()
                self.may_end.wait(SECONDS)
        except BaseException as error:
            self.error = error

    def begins(self) -> bool:
        return self.began.wait(SECONDS)

    def waits(self) -> bool:
        return not self.began.wait(A_MOMENT)

    def end(self) -> None:
        self.may_end.set()
        self.join(SECONDS)


def test_as_many_conversions_at_once_as_there_are_cores():
    first, second = Work(machine.one_core), Work(machine.one_core)
    assert first.begins()
    assert second.begins()
    third = Work(machine.one_core)
    assert third.waits()
    second.end()
    assert third.begins()
    first.end()
    third.end()


def test_one_measurement_at_a_time():
    first = Work(machine.alone)
    assert first.begins()
    second = Work(machine.alone)
    assert second.waits()
    first.end()
    assert second.begins()
    second.end()


def test_a_measurement_has_the_machine_without_conversions():
    measurement = Work(machine.alone)
    assert measurement.begins()
    conversion = Work(machine.one_core)
    assert conversion.waits()
    measurement.end()
    assert conversion.begins()
    conversion.end()


def test_a_measurement_waits_for_all_that_run():
    first, last = Work(machine.one_core), Work(machine.one_core)
    assert first.begins()
    assert last.begins()
    measurement = Work(machine.alone)
    first.end()
    assert measurement.waits()
    last.end()
    assert measurement.begins()
    measurement.end()


def test_conversions_that_come_later_do_not_hold_a_measurement_up():
    running = Work(machine.one_core)
    assert running.begins()
    measurement = Work(machine.alone)
    _wait_until_the_gate_is_shut()
    later = Work(machine.one_core)
    running.end()
    assert measurement.begins()
    assert later.waits()
    measurement.end()
    assert later.begins()
    later.end()


def _wait_until_the_gate_is_shut() -> None:
    deadline = time.monotonic() + SECONDS
    gate = machine._lock("gate")
    while machine._taken(gate):
        gate.release()
        assert time.monotonic() < deadline
        time.sleep(machine.POLL_SECONDS / 3)


@pytest.mark.parametrize("share", [machine.one_core, machine.alone])
def test_who_waits_for_the_machine_gives_up_when_the_main_thread_does(share):
    holder = Work(machine.alone)
    assert holder.begins()
    waiting = Work(share)
    assert waiting.waits()
    with pytest.raises(ZeroDivisionError), interruptible():
        raise ZeroDivisionError
    waiting.join(SECONDS)
    assert isinstance(waiting.error, KeyboardInterrupt)
    holder.end()


X86 = """processor : 0
model name : AMD EPYC
flags : fpu avx avx2 fma avx512f avx512_vnni

processor : 1
model name : another one
flags : fpu
"""
ARM = "processor : 0\nFeatures : fp asimd asimddp i8mm\n"


def test_processors_of_one_name_differ_by_their_instruction_sets(monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    assert machine.describe_cpu(X86) == "AMD EPYC (avx2, avx512f, avx512_vnni)"
    assert machine.describe_cpu(ARM) == "aarch64 (asimddp, i8mm)"
    assert machine.describe_cpu("model name : Old") == "Old"
    assert machine.describe_cpu("") == ""


def test_the_machine_is_described():
    assert machine.cpu_model()
    assert machine.load() >= 0
