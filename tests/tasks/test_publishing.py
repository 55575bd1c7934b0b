"""What a run shows is what ``mmdet2tflite compare`` shows until the next one."""

from pathlib import Path

import pytest

from mmdet2tflite.report.stored import last_comparison
from tasks import publishing
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
