"""COCO's outlines become oriented boxes where that is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.data.prepare import DATASET
from tests.data.conftest import Source, facts

DIAMOND = [20, 5, 30, 15, 20, 25, 10, 15]


@pytest.fixture
def build(store, source: Source) -> Callable[..., Dataset]:
    for annotation in [*source.train["annotations"], *source.val["annotations"]]:
        annotation["segmentation"] = [DIAMOND]

    def run(oriented: bool = True, **options: Any) -> Dataset:
        config = source.save().config(**options).model_copy(update={"oriented": oriented})
        return DATASET.build(store, config, timeout=60)

    return run


def corners(annotation: dict[str, Any]) -> set[tuple[int, ...]]:
    (values,) = annotation["segmentation"]
    return {tuple(corner) for corner in np.rint(values).astype(int).reshape(4, 2).tolist()}


def test_an_outline_becomes_the_smallest_rectangle_around_it(build, source, contents) -> None:
    source.train["annotations"][0]["segmentation"] = [[5, 5, 25, 5, 20, 15, 10, 15]]
    first, second = contents(build(), "train.json")["annotations"]
    assert corners(first) == {(5, 5), (25, 5), (25, 15), (5, 15)}
    assert corners(second) == {(20, 5), (30, 15), (20, 25), (10, 15)}
    assert second["bbox"] == pytest.approx([10, 5, 20, 20], abs=1e-4)
    assert second["area"] == pytest.approx(200)


def test_two_outlines_of_one_object_are_in_one_rectangle(build, source, contents) -> None:
    source.train["annotations"][0]["segmentation"] = [[5, 5, 9, 5, 9, 9], [20, 5, 20, 15, 5, 15]]
    first, _ = contents(build(), "train.json")["annotations"]
    assert corners(first) == {(5, 5), (20, 5), (20, 15), (5, 15)}


def test_without_being_asked_outlines_are_not_looked_at(build, source, contents) -> None:
    source.train["annotations"][0]["segmentation"] = "none"
    first, _ = contents(build(oriented=False), "train.json")["annotations"]
    assert "segmentation" not in first


@pytest.mark.parametrize("outline", [None, [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], {"counts": "x"}])
def test_an_object_without_an_outline_is_named(outline, build, source, refuse) -> None:
    source.train["annotations"][1]["segmentation"] = outline
    assert facts(refuse()) == [("no_outline", "train", "annotations", 2)]


def test_a_crowd_has_its_box(build, source, contents) -> None:
    changes = {"iscrowd": 1, "segmentation": {"counts": [0], "size": [30, 40]}}
    source.train["annotations"][1] |= changes
    assert corners(contents(build(), "train.json")["annotations"][1]) == {
        (1, 2),
        (11, 2),
        (11, 22),
        (1, 22),
    }
