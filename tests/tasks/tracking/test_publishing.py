"""What a run shows: problems of its data, and what ``compare`` shows until the next run."""

from pathlib import Path

import pytest

from mmdet2tflite.artifacts import Dataset, Split
from mmdet2tflite.data.prepare import REPORT
from mmdet2tflite.report.stored import last_comparison
from mmdet2tflite.store.store import Store
from tasks.tracking import publishing
from tests.report.finished_run import Run


def test_a_run_that_shows_what_an_earlier_one_made_is_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: dict[str, str] = {}
    for kind in ("table", "markdown"):
        monkeypatch.setattr(
            publishing,
            f"create_{kind}_artifact",
            lambda value, key, description="": kept.update({key: str(value)}),
        )
    run = Run(tmp_path)
    outcomes = run.outcomes()
    older, newer = (run.compare(outcomes[:count]) for count in (2, 5))
    for comparison, models in ((older, 2), (newer, 5), (older, 2)):
        publishing.publish(run.store, comparison)
        assert last_comparison(run.store, "tiny") == comparison
        assert kept["comparison-tiny"].count("'model':") == models
        assert ("widen" in kept["summary-tiny"]) == (models == 5)


@pytest.mark.parametrize(
    ("problems", "said"),
    [({}, []), ({"leak": 2.0, "no_label": 1.0}, ["  data: 2 leak, 1 no_label; named in "])],
)
def test_what_is_wrong_with_the_data_is_said_whenever_they_are_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problems: dict[str, float], said: list[str]
) -> None:
    def make(work: Path) -> Dataset:
        (work / REPORT).write_text("[]")
        metrics = {"val.boxes": 3.0, **{f"problems.{kind}": n for kind, n in problems.items()}}
        split = Split(annotations="", image_root="", images=0, boxes=0, images_digest="")
        return Dataset(classes=("cat",), train=split, val=split, metrics=metrics)

    store = Store(tmp_path)
    dataset = store.build("dataset", "key", make, origin={})
    assert isinstance(dataset, Dataset)
    publishing.warn(store, dataset)
    expected = [f"{line}{store.path(dataset, REPORT)}" for line in said]
    assert capsys.readouterr().out.splitlines() == expected
