"""``mmdet2tflite compare``: the last comparison of an experiment, again."""

import json
from pathlib import Path

import pytest

from mmdet2tflite.cli import main as cli
from mmdet2tflite.processes.exit_status import run_and_report
from mmdet2tflite.report import terminal
from mmdet2tflite.report.stored import remember_comparison
from tests.report.finished_run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A store with an ``other`` and two comparisons of ``tiny``, the last one shown of two models.

    It was made first: the last run found everything cached.
    """
    run = Run(tmp_path_factory.mktemp("compare"))
    outcomes = run.outcomes()
    made = {
        (name, models): run.compare(outcomes[:models], name)
        for name, models in (("tiny", 2), ("tiny", 5), ("other", 5))
    }
    for shown in (("tiny", 2), ("other", 5), ("tiny", 5), ("tiny", 2)):
        remember_comparison(run.store, made[shown])
    return run


@pytest.fixture
def compare(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Run the command; returns its exit status and what it printed."""
    monkeypatch.setattr(terminal, "console", terminal.Console(width=120, highlight=False))

    def call(*words: str, name: str = "tiny", store: str | None = str(run.store.root)):
        file = run.folder / "experiment.yaml"
        file.write_text(f"name: {name}\ndataset: {{kind: digits}}\n")
        options = [] if store is None else ["--store", store]
        arguments = ["compare", str(file), *options, *words]
        status = run_and_report(lambda: cli.app(arguments, standalone_mode=False))
        return status, capsys.readouterr()

    return call


def test_what_the_experiments_last_run_showed_is_printed_with_its_page(compare):
    status, printed = compare()
    assert status == 0
    assert "│ ONNX " in printed.out
    assert "explicit" not in printed.out
    assert "No TFLite file was measured." in printed.out
    page = printed.out.rstrip().rpartition("report: ")[2]
    assert Path(page).read_text().startswith("<!doctype html>")


def test_json_is_what_the_file_holds_and_where_the_page_is(compare):
    status, printed = compare("--json", name="other")
    assert status == 0
    found = json.loads(printed.out)
    page = Path(found.pop("report"))
    assert found == json.loads(page.with_name("comparison.json").read_text())
    assert len(found["rows"]) == 5


def test_an_experiment_may_be_renamed_as_it_was_when_it_ran(compare):
    assert "explicit" in compare("--set", "name=other")[1].out


def test_the_experiments_own_store_is_looked_in_by_default(compare, run):
    assert compare("--set", f"store={run.store.root}", store=None)[0] == 0


def test_without_a_comparison_the_names_that_are_there_are_told(compare):
    status, printed = compare(name="absent")
    assert status == 2
    assert "no comparison of the experiment 'absent'" in printed.err
    assert "there are some of other, tiny" in printed.err


def test_an_empty_store_is_said_to_have_none(compare, tmp_path):
    status, printed = compare(store=str(tmp_path))
    assert status == 2
    assert f"no comparison of the experiment 'tiny' in {tmp_path}\n" in printed.err
