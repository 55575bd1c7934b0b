"""The verdict: what stops a run, and what the refusal tells."""

import json
from typing import get_args

import pytest

from mmdet2tflite.config.names import Fix
from mmdet2tflite.data.problems import MENDS, SHOWN
from mmdet2tflite.errors import DataError

from .conftest import add_box


def test_the_refusal_counts_names_and_tells_what_would_mend_it(source, build, store) -> None:
    for number in range(SHOWN + 2):
        add_box(source, id=100 + number, bbox=[5, 5, 0, 5])
    add_box(source, id=200, bbox=[50, 5, 5, 5])
    with pytest.raises(DataError) as caught:
        build(fix=["size"])
    error = caught.value
    assert error.found.startswith("12 zero_area, 1 outside\n")
    assert "zero_area: train: a.png (id 100)" in error.found
    assert error.found.endswith("... and 3 more")
    assert error.remedy.startswith("--set dataset.fix=[size,zero_area,outside]\n")
    assert MENDS["zero_area"] in error.remedy
    (report,) = store.work.glob("dataset/*/log/problems.json")
    assert str(report) in error.expected
    assert len(json.loads(report.read_text())) == SHOWN + 3


def test_the_remedy_of_a_refusal_makes_it_go_away(source, build) -> None:
    add_box(source, bbox=[5, 5, 0, 5])
    (source.root / "images/b.png").unlink()
    with pytest.raises(DataError) as caught:
        build()
    entries = caught.value.remedy.splitlines()[0].partition("[")[2].rstrip("]").split(",")
    assert build(fix=entries).train.boxes == 1


def test_a_problem_that_cannot_be_mended_offers_no_fix(source, build) -> None:
    source.val["annotations"] = []
    with pytest.raises(DataError) as caught:
        build()
    assert "dataset.fix" not in caught.value.remedy
    assert "empty" in caught.value.remedy


def test_every_fix_of_the_config_says_what_it_does() -> None:
    assert set(MENDS) == set(get_args(Fix))
