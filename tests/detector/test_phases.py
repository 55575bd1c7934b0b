"""Which pipeline is in force in which epochs, as mmdet's hooks decide it."""

import pytest

from mmdet2tflite.detector.phases import phases
from mmdet2tflite.errors import ConfigError
from tests.detector.pipelines import config, mixed, plain


def spans(found) -> list[tuple[str, int, int]]:
    return [(phase.title, phase.first_epoch, phase.last_epoch) for phase in found]


def names(phase) -> list[list[str]]:
    return [[step["type"] for step in chain] for chain in phase.chains()]


def switch(**settings: object) -> dict:
    return {"type": "YOLOXModeSwitchHook", **settings}


def test_without_a_hook_there_is_one_phase():
    (phase,) = phases(config(mixed("Mosaic", "RandomAffine")))
    assert spans([phase]) == [("throughout", 1, 60)]
    assert names(phase) == [["LoadImageFromFile", "Mosaic", "RandomAffine"]]


def test_yoloxs_switch_skips_what_its_default_names_in_the_last_epochs():
    found = phases(config(mixed("Mosaic", "RandomAffine", "RandomFlip"), switch()))
    # mmdet 3.3 switches when epoch + 1 >= 60 - 15, epoch counted from 0: in the 45th.
    assert spans(found) == [
        ("at first", 1, 44),
        ("without Mosaic, RandomAffine", 45, 60),
    ]
    assert names(found[1]) == [["LoadImageFromFile", "RandomFlip"]]


def test_yoloxs_switch_skips_only_what_it_names():
    hook = switch(num_last_epochs=5, skip_type_keys=("Mosaic",))
    found = phases(config(mixed("Mosaic", "RandomAffine"), hook))
    assert spans(found) == [("at first", 1, 54), ("without Mosaic", 55, 60)]
    assert names(found[1]) == [["LoadImageFromFile", "RandomAffine"]]


def test_a_switch_that_skips_nothing_of_the_pipeline_makes_no_phase():
    assert spans(phases(config(mixed("RandomFlip"), switch()))) == [("throughout", 1, 60)]


def test_a_training_shorter_than_its_last_epochs_has_only_those():
    found = phases(config(mixed("Mosaic"), switch(num_last_epochs=15), epochs=10))
    assert spans(found) == [("without Mosaic", 1, 10)]


def test_what_is_skipped_below_the_mixing_data_set_stays():
    inner = {"type": "CocoDataset", "pipeline": [{"type": "Mosaic"}]}
    outer = {**mixed("Mosaic"), "dataset": inner}
    found = phases(config(outer, switch()))
    assert names(found[1]) == [["Mosaic"]]


def test_a_switch_of_pipelines_replaces_the_outermost_one():
    hook = {
        "type": "PipelineSwitchHook",
        "switch_epoch": 40,
        "switch_pipeline": [{"type": "RandomCrop"}],
    }
    found = phases(config(plain("CachedMosaic"), hook))
    assert spans(found) == [("at first", 1, 40), ("switched pipeline", 41, 60)]
    assert [names(phase) for phase in found] == [[["CachedMosaic"]], [["RandomCrop"]]]


def test_a_switch_after_the_last_epoch_never_comes():
    hook = {"type": "PipelineSwitchHook", "switch_epoch": 60, "switch_pipeline": []}
    assert spans(phases(config(plain("CachedMosaic"), hook))) == [("throughout", 1, 60)]


def test_data_sets_that_are_joined_have_a_chain_each():
    joined = {"type": "ConcatDataset", "datasets": [plain("Resize"), plain("Pad")]}
    (phase,) = phases(config({**mixed("RandomFlip"), "dataset": joined}))
    assert names(phase) == [["Resize", "RandomFlip"], ["Pad", "RandomFlip"]]


def test_a_switch_that_mmdet_cannot_make_is_refused_with_its_epoch():
    with pytest.raises(ConfigError, match=r"epoch 45.*CocoDataset.*cannot skip"):
        phases(config(plain("RandomFlip"), switch()))
