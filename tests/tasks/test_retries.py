"""Another attempt where it may end otherwise, with growing pauses, and none where it cannot."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from prefect.testing.utilities import prefect_test_harness
from rich.console import Console

from mmdet2tflite.artifacts import Report
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import (
    ConfigError,
    DataError,
    ModelError,
    ParityError,
    StoreError,
    ToolFailed,
    ToolKilled,
)
from mmdet2tflite.report import terminal
from mmdet2tflite.stage import Stage
from tasks import retrying
from tasks.caching import Call, stage_task

SECONDS_TO_START = 300


def refused(cause: Exception | None) -> StoreError:
    """As a store raises it when something below it went wrong."""
    error = StoreError("the bucket cannot be used")
    error.__cause__ = cause
    outer = StoreError("the artefact could not be uploaded")
    outer.__cause__ = error
    return outer


KILLED = ToolKilled("mmdet was killed by SIGKILL (out of memory)")
MAY_PASS = [
    KILLED,
    refused(ConnectionResetError()),
    refused(ConnectionRefusedError()),
    refused(TimeoutError()),
]
WILL_NOT = [
    ToolFailed("onnx2tf ended with status 1"),
    ParityError("max abs error 0.3"),
    ConfigError("no such key"),
    DataError("no such image"),
    ModelError("no checkpoint"),
    StoreError("no space left on the disk"),
    refused(None),
    refused(PermissionError()),
    ConnectionResetError(),  # of whom? a stage talks to nobody but its store
    ZeroDivisionError(),
]


@pytest.fixture(autouse=True)
def answered() -> Iterator[None]:
    """The store has answered before."""
    retrying.store_answered.set()
    yield
    retrying.store_answered.clear()


@pytest.mark.parametrize("error", MAY_PASS, ids=repr)
def test_what_may_pass_is_tried_again(error):
    assert retrying.may_pass(error)


@pytest.mark.parametrize("error", WILL_NOT, ids=repr)
def test_what_will_not_is_not(error):
    assert not retrying.may_pass(error)


def test_s3_that_is_not_there_or_goes_away_may_come_back():
    botocore = pytest.importorskip("botocore.exceptions")
    place = {"endpoint_url": "http://s3", "error": "no"}
    for kind in ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"):
        assert retrying.may_pass(refused(getattr(botocore, kind)(**place)))
    closed = botocore.ConnectionClosedError(endpoint_url="http://s3")
    assert retrying.may_pass(refused(closed))
    assert not retrying.may_pass(refused(botocore.NoCredentialsError()))


def test_a_store_that_never_answered_is_a_mistake_which_is_told_at_once():
    retrying.store_answered.clear()
    assert not retrying.may_pass(refused(ConnectionRefusedError()))
    assert retrying.may_pass(KILLED)


def test_each_pause_is_three_times_the_one_before_and_few_minutes_in_all():
    first, *others = retrying.SECONDS_TO_WAIT
    assert others == [first * 3**n for n in range(1, len(others) + 1)]
    assert sum(retrying.SECONDS_TO_WAIT) < 180


# --- by Prefect ----------------------------------------------------------------------------------


class Failing:
    """A stage's function that fails with each of the errors, and is well after that."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.attempts = list(errors), 0

    def __call__(self, *_: Any) -> Report:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return Report(runtime="litert", variant="", model="")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    place = {PREFECT_LOCAL_STORAGE_PATH: str(tmp_path_factory.mktemp("results"))}
    with prefect_test_harness(SECONDS_TO_START), temporary_settings(place):
        yield


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=output, width=120))
    return output


def run(stage: Failing, store: Path) -> Report:
    """As a flow does, but for the pauses."""

    @stage_task
    def model_to_report(experiment: Experiment) -> Call[Report]:
        return Call(Stage("report", stage), None, timeout=60)

    assert model_to_report.retry_delay_seconds == list(retrying.SECONDS_TO_WAIT)
    experiment = Experiment.model_validate(
        {"name": "test", "dataset": {"kind": "digits"}, "store": str(store)}
    )
    return model_to_report.with_options(retry_delay_seconds=0)(experiment)


@pytest.mark.flow
def test_a_stage_that_recovers_has_its_result_and_says_what_it_waited_for(server, said, tmp_path):
    stage = Failing(KILLED, KILLED)
    assert run(stage, tmp_path).runtime == "litert"
    assert stage.attempts == 3
    failed = "✗ model → report: Tool failed: mmdet was killed by SIGKILL (out of memory)"
    again = "  this may pass: tried again in {} s"
    lines = said.getvalue().splitlines()
    assert lines[:4] == [failed, again.format(10), failed, again.format(30)]


@pytest.mark.flow
def test_a_stage_that_is_killed_again_and_again_fails_with_that_reason(server, said, tmp_path):
    stage = Failing(*[KILLED] * 9)
    with pytest.raises(ToolKilled):
        run(stage, tmp_path)
    assert stage.attempts == 1 + len(retrying.SECONDS_TO_WAIT)


@pytest.mark.flow
@pytest.mark.parametrize("error", [ParityError("no"), ZeroDivisionError()], ids=repr)
def test_what_will_not_pass_ends_the_run_at_the_first_attempt(server, said, tmp_path, error):
    stage = Failing(error)
    with pytest.raises(type(error)):
        run(stage, tmp_path)
    assert stage.attempts == 1
    assert "tried again" not in said.getvalue()
