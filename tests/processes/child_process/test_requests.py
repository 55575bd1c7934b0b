"""A worker is asked by a typed request, and its result is of the type that was asked for."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.passport import Rotation
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store

WORKER = """
import numpy as np
from mmdet2tflite.artifacts import Rotation
from mmdet2tflite.processes.messages import answer
from tests.processes.child_process.test_requests import Question

def work(question):
    assert question == Question(number=question.number, paths=[__file__], rotation=Rotation())
    print("worked")
    return RESULT

if __name__ == "__main__":
    answer(work, Question)
"""


class Question(Frozen):
    number: float
    paths: Sequence[Path]
    rotation: Rotation


@pytest.fixture
def question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Question:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    return Question(number=math.inf, paths=[tmp_path / "fake_worker.py"], rotation=Rotation())


def asked[R](question: Question, returned: str, result: type[R], log: Path) -> R:
    question.paths[0].write_text(WORKER.replace("RESULT", returned))
    job = Job(Store(log.parent), log.parent.parent, timeout=60)
    return job.ask("fake", "fake_worker", question, result, log=log.stem)


def test_numbers_arrive_as_they_are(question: Question, log: Path) -> None:
    returned = "{'a': 0.1 + 0.2, 'b': float('inf'), 'c': np.float64(1e-9) / 3, 'd': 2}"
    found = asked(question, returned, Mapping[str, int | float], log)  # type: ignore[type-abstract]
    assert found == {"a": 0.1 + 0.2, "b": math.inf, "c": 1e-9 / 3, "d": 2}
    assert type(found["d"]) is int
    assert log.read_text() == "worked\n"


def test_an_artefact_arrives_as_one(question: Question, log: Path) -> None:
    returned = "Rotation(input=True, outputs=('cls_8',))"
    assert asked(question, returned, Rotation, log) == Rotation(input=True, outputs=("cls_8",))
    found = asked(question, f"[{returned}, {returned}]", tuple[Rotation, ...], log)
    assert found == (Rotation(input=True, outputs=("cls_8",)),) * 2


@pytest.mark.parametrize("returned", ["None", "{'a': 'text'}"])
def test_any_other_result_is_a_fault(question: Question, log: Path, returned: str) -> None:
    with pytest.raises(ValidationError):
        asked(question, returned, dict[str, float], log)


def test_the_request_is_beside_the_log_to_be_run_by_hand(question: Question, log: Path) -> None:
    asked(question, "{'a': 1.5}", dict[str, float], log)
    left = json.loads(log.with_suffix(".json").read_text())
    rotation = {"input": False, "outputs": []}
    assert left == {"number": math.inf, "paths": [str(question.paths[0])], "rotation": rotation}
    script = log.with_suffix(".reproduce.sh")
    again = subprocess.run([script], capture_output=True, text=True, check=True)
    assert again.stdout == 'worked\n{"result": {"a": 1.5}}\n'


def test_a_program_that_only_runs_tools_does_not_wait_for_pydantic() -> None:
    script = "import sys, mmdet2tflite.processes.child; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
