"""Processes that promote at once, and one that is killed in the middle of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmdet2tflite.errors import RegistryError
from tasks.tracking.registry import Registry
from tests.tasks.conftest import Tracked

ROOT = Path(__file__).parents[2]
FIRST = "explicit · onnx2tf · float32"
PROMOTE = """
import sys
from pathlib import Path
from mmdet2tflite.errors import RegistryError
from tasks.tracking.registry import Registry

model, tracking, number, stop_before = sys.argv[1:]
registry = Registry(model, Path(tracking))
version, champion = registry.get(number), registry.find("champion")
point = registry._point

def stopping(alias, number):
    if alias == stop_before:
        print("stopped", flush=True)
        input()
    point(alias, number)

registry._point = stopping
print("ready", flush=True)
input()
try:
    registry.promote(version, replacing=champion)
    print("promoted", flush=True)
except RegistryError as error:
    print("refused:", error.found, flush=True)
"""


@pytest.fixture
def registry(tracked: Tracked, tmp_path: Path) -> Registry:
    """A model of the test's own: version 1 is its champion, version 3 the challenger."""
    made = Registry(tmp_path.name, tracked.folder / "mlruns")
    for number in range(3):
        made.add(tracked.runs[FIRST], {"dataset": str(number)}, "")
    made.promote(made.get("1"), replacing=None)
    return made


@contextmanager
def promoting(
    registry: Registry, tracked: Tracked, number: str, stop_before: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has looked at the champion and is about to promote a version."""
    words = [registry.model, str(tracked.folder / "mlruns"), number, stop_before]
    with subprocess.Popen(
        [sys.executable, "-c", PROMOTE, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(*processes: subprocess.Popen[str]) -> list[str]:
    """Let them go on; what each of them says next."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes]  # type: ignore[union-attr]


def aliases(registry: Registry) -> dict[str, str]:
    return {alias: version.number for version in registry.kept() for alias in version.aliases}


def test_of_two_processes_one_promotes_and_the_other_is_told_and_changes_nothing(registry, tracked):
    with (
        promoting(registry, tracked, "2") as one,
        promoting(registry, tracked, "3") as other,
    ):
        said = go(one, other)
    winner = "23"[said.index("promoted")]
    loser = {"2": "3", "3": "2"}[winner]
    assert sorted(said) == [
        "promoted",
        f"refused: {registry.model} version {loser} was compared with version 1, "
        f"and the champion is version {winner} by now",
    ]
    left = {"champion": winner, "previous": "1"} | ({"challenger": "3"} if winner == "2" else {})
    assert aliases(registry) == left


def test_who_is_killed_between_the_aliases_leaves_a_champion_and_holds_nobody_up(registry, tracked):
    before = aliases(registry)
    with promoting(registry, tracked, "2", stop_before="champion") as process:
        assert go(process) == ["stopped"]
        process.kill()
    assert aliases(registry) == {**before, "previous": "1"}
    with pytest.raises(RegistryError, match="has no 'previous'"):
        registry.rollback()
    assert registry.find("champion").number == "1"
    registry.promote(registry.get("3"), replacing=registry.get("1"))
    assert aliases(registry) == {"champion": "3", "previous": "1"}
    assert registry.rollback()[0].number == "1"
