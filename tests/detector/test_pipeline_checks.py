"""A hand-written pipeline that loses boxes, or makes them grow, is warned of."""

import pytest

from mmdet2tflite.detector.pipeline_checks import measured_cautions, pipeline_cautions
from tests.detector.pipelines import config, mixed, plain

BORDER = (-320, -320)
AFFINE = {"type": "RandomAffine", "border": BORDER}
SWITCH = {"type": "YOLOXModeSwitchHook", "num_last_epochs": 5}
ONLY_MOSAIC = {**SWITCH, "skip_type_keys": ("Mosaic",)}


def found(*arguments, **settings) -> list[str]:
    return [caution.found for caution in pipeline_cautions(config(*arguments, **settings))]


@pytest.mark.parametrize(
    ("dataset", "hooks"),
    [
        (mixed("Mosaic", AFFINE), []),
        (mixed("Mosaic", AFFINE), [SWITCH]),  # skips both
        (plain("CachedMosaic", AFFINE), []),
        ({**mixed(AFFINE), "dataset": plain("Mosaic")}, []),  # in the pipeline below
        (mixed("RandomAffine"), []),
        (mixed({**AFFINE, "border": (0, 0)}), []),
        (mixed({"type": "CanvasAffine", "max_rotate_degree": 10}), [ONLY_MOSAIC]),
    ],
)
def test_a_border_that_fits_is_not_spoken_of(dataset, hooks):
    assert found(dataset, *hooks) == []


@pytest.mark.parametrize(
    "dataset",
    [
        mixed(AFFINE),
        mixed(AFFINE, "Mosaic"),  # too late
        mixed({"type": "Mosaic", "prob": 0.5}, AFFINE),  # half of the images are not doubled
        mixed({"type": "RandomApply", "transforms": [{"type": "Mosaic"}]}, AFFINE),
        mixed({"type": "RandomApply", "transforms": [AFFINE]}),
        mixed({"type": "RandomChoice", "transforms": [[{"type": "Pad"}], [AFFINE]]}),
        mixed({**AFFINE, "border": [0, -80]}),
    ],
)
def test_a_negative_border_without_a_mosaic_before_it_is(dataset):
    (text,) = found(dataset)
    assert "without a Mosaic before it (epochs 1 to 60)" in text
    assert "boxes vanish" in text


def test_a_border_that_stays_when_mosaic_is_switched_off_is_found_with_its_epochs():
    (text,) = found(mixed("Mosaic", AFFINE), ONLY_MOSAIC)
    assert f"border={BORDER}" in text
    assert "(epochs 55 to 60)" in text


def test_one_of_several_joined_data_sets_may_lack_the_mosaic():
    joined = {"type": "ConcatDataset", "datasets": [plain("CachedMosaic"), plain("Resize")]}
    assert len(found({**mixed(AFFINE), "dataset": joined})) == 1


@pytest.mark.parametrize(
    ("step", "degrees"),
    [
        ({"type": "RandomAffine", "max_rotate_degree": 10.5}, "10.5"),
        ({"type": "CanvasAffine", "max_rotate_degree": 45}, "45"),
        ({"type": "Rotate"}, "30"),  # mmdet's default
        ({"type": "RandomApply", "transforms": [{"type": "Rotate", "max_mag": 20.0}]}, "20"),
    ],
)
def test_a_rotation_over_ten_degrees_is_warned_of(step, degrees):
    (text,) = found(mixed(step))
    assert f"by up to {degrees} degrees" in text


@pytest.mark.parametrize(
    "step",
    [{"type": "RandomAffine"}, {"type": "RandomAffine", "max_rotate_degree": 10}, "RandomFlip"],
)
def test_up_to_ten_degrees_are_not(step):
    assert found(mixed(step)) == []


def test_a_mistake_in_both_phases_is_told_once():
    assert len(found(mixed("Mosaic", "Rotate"), ONLY_MOSAIC)) == 1


def phase(title: str, size: tuple[int, int], vanished: int) -> dict:
    steps = [
        {"name": "Resize", "vanished": 0, "given": 9},
        {"name": "RandomAffine", "vanished": vanished, "given": 9},
    ]
    return {"title": title, "steps": steps, "pictures": [{"size": list(size)}]}


def test_boxes_that_were_seen_to_vanish_are_told_with_transform_and_phase():
    shown = [phase("at first", (64, 32), 0), phase("without Mosaic", (64, 32), 4)]
    (caution,) = measured_cautions(shown, (64, 32))
    assert caution.found.startswith("RandomAffine drops 4 of 9 boxes")
    assert "(without Mosaic)" in caution.found


def test_pictures_of_another_size_than_the_networks_input_are_told_once():
    shown = [phase("a", (640, 640), 0), phase("b", (640, 640), 0), phase("c", (64, 32), 0)]
    (caution,) = measured_cautions(shown, (64, 32))
    assert "pictures of 640x640 pixels are shown" in caution.found
    assert "exported for 64x32" in caution.found
