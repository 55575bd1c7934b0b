"""A tool that would take the whole machine is ended before the kernel has to choose a victim."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mmdet2tflite.errors import ConfigError, ModelError, ToolFailed, ToolKilled
from mmdet2tflite.processes import memory

MB = 10**6
TAKES_ALL = "taken = []\nwhile True: taken.append(bytearray(20 * 10**6))"
IN_A_CHILD = f"""
import multiprocessing, time
def take():
    {TAKES_ALL.splitlines()[0]}
    while len(taken) < 20: taken.append(bytearray(20 * 10**6))
    time.sleep(60)
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=take).start()
"""


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.VARIABLE, "0.3")


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("source", [TAKES_ALL, IN_A_CHILD], ids=["itself", "its own child"])
def test_a_tool_above_the_limit_is_stopped_and_the_limit_named(
    run: Callable[..., None], source: str
) -> None:
    said = rf"\d\.\d GB in memory, and 0\.3 GB are the limit \({memory.VARIABLE} sets another one"
    with pytest.raises(ToolFailed, match=said) as caught:
        run(source, timeout=60)
    assert not isinstance(caught.value, ToolKilled)  # which would be tried again


@pytest.mark.usefixtures("limit")
def test_pages_that_processes_share_count_once(run: Callable[..., None]) -> None:
    run(
        """
import os, time
shared = bytearray(150 * 10**6)
children = [os.fork() for _ in range(2)]
time.sleep(1.5)
if all(children):
    for child in children: os.waitpid(child, 0)
"""
    )


def test_the_largest_of_several_tools_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {1: 250.0 * MB, 2: 20.0 * MB}
    monkeypatch.setattr(memory, "_session", lambda leader: [leader])
    monkeypatch.setattr(memory, "_resident", sizes.__getitem__)
    monkeypatch.setattr(memory, "_proportional", sizes.__getitem__)
    large, small = memory.Watch(1, 300.0 * MB), memory.Watch(2, 300.0 * MB)
    try:
        assert not large.excess()
        assert not small.excess()
        sizes[2] = 100.0 * MB
        assert not small.excess()
        assert "0.2 GB in memory, other tools 0.1 GB" in large.excess()
    finally:
        large.end()
        small.end()


def test_the_limit_is_a_part_of_the_machine_and_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "none").write_text("max\n")
    files = [tmp_path / "memory.max", tmp_path / "none", tmp_path / "missing"]
    assert memory.bound() > 100 * MB
    monkeypatch.setattr(memory, "_limit_files", lambda: files)
    assert memory.bound() == 800_000


@pytest.mark.parametrize("given", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_no_positive_number_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(memory.VARIABLE, given)
    with pytest.raises(ConfigError, match=f"{memory.VARIABLE} is '{given}'"):
        memory.bound()


def test_the_kernel_would_take_a_tool_before_anything_else(run: Callable[..., None]) -> None:
    run("import time; time.sleep(0.3)\nassert open('/proc/self/oom_score_adj').read() == '500\\n'")


def test_this_process_can_limit_itself_for_a_while() -> None:
    with (
        pytest.raises(ModelError, match=r"more than 0\.2 GB of memory"),
        memory.growing_at_most(200 * MB, error=ModelError),
    ):
        bytearray(300 * MB)
    bytearray(300 * MB)
