"""Trained networks in PyTorch: the float file's numbers, the int8 file's integers, and tuned."""

import numpy as np
import pytest
import torch

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.config.experiment import Tuning, Variants
from mmdet2tflite.data.files import image_files
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig
from mmdet2tflite.quantize.quantize_worker import sample_of
from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from mmdet2tflite.quantize.tuning.stage import TUNE, TuneConfig
from mmdet2tflite.quantize.tuning.teacher import Teacher
from mmdet2tflite.quantize.tuning.tune_file import check_same
from mmdet2tflite.tflite.flatbuffer import read_model, serialise
from mmdet2tflite.tflite.padding_flag import put_pads_back, read_flags
from tests.toolchain.golden import TIMEOUT, TOLERANCE
from tests.toolchain.test_rtmdet import Models

pytestmark = pytest.mark.toolchain

STRATEGIES = ["mirror", "widen", "engine"]
IMAGES = 8


def samples(store, model, dataset) -> list[np.ndarray]:
    images = image_files(store, dataset, "val")[:IMAGES]
    return [np.ascontiguousarray(sample_of(model, image)) for image in images]


def quantise(store, model, dataset, precision) -> TfliteModel:
    inputs = {"model": model, "dataset": dataset}
    return QUANTIZE.build(
        store, QuantizeConfig.of(precision, Variants()), timeout=TIMEOUT, **inputs
    )


@torch.no_grad()
def check_float(store, model, dataset) -> None:
    """Each output within TOLERANCE of its range."""
    network = read_model(store.path(model, model.file))
    put_pads_back(network)
    images = np.concatenate(samples(store, model, dataset))
    expected = Teacher(serialise(network), 1)(images)
    found = TfliteNetwork(network)(torch.from_numpy(images))
    assert list(found) == list(expected)
    for name, value in expected.items():
        span = float(value.max() - value.min())
        assert float((found[name] - value).abs().max()) < TOLERANCE * span, name


def check_integers(store, model, dataset) -> None:
    network = read_model(store.path(model, model.file))
    put_pads_back(network)
    found = check_same(TfliteNetwork(network), network, samples(store, model, dataset))
    assert found["tuning.steps_apart"] <= 1
    assert found["tuning.differing"] < 1e-3


@pytest.mark.parametrize("padding", STRATEGIES)
def test_a_float_file_computes_the_same_in_pytorch(main_path, variants, padding):
    check_float(main_path.store, variants[padding].tflite, main_path.dataset)


@pytest.mark.parametrize("precision", ["int8", "int8_io"])
@pytest.mark.parametrize("padding", STRATEGIES)
def test_an_int8_file_has_the_same_integers_in_pytorch(main_path, variants, padding, precision):
    store, dataset = main_path.store, main_path.dataset
    model = quantise(store, variants[padding].tflite, dataset, precision)
    check_integers(store, model, dataset)


@pytest.mark.parametrize("padding", ["mirror", "engine"])
def test_a_tuned_file_is_no_farther_from_its_float_file_and_keeps_its_flags(
    main_path, variants, padding
):
    """Eight of 16 images judge, and eight are few to learn from: it may stay as it is."""
    store, dataset, teacher = main_path.store, main_path.dataset, variants[padding].tflite
    model = quantise(store, teacher, dataset, "int8")
    config = TuneConfig(tuning=Tuning(iterations=60), seed=0)
    inputs = {"model": model, "teacher": teacher, "dataset": dataset}
    tuned = TUNE.build(store, config, timeout=TIMEOUT, **inputs)
    assert tuned.metrics["tuning.loss_after"] <= tuned.metrics["tuning.loss_before"]
    assert tuned.metrics["tuning.steps_apart"] <= 1
    before, after = (read_model(store.path(file, file.file)) for file in (model, tuned))
    assert read_flags(after) == read_flags(before)
    assert bool(read_flags(after)) == (padding == "engine")
    assert tuned.digest != model.digest  # the passport at least


@pytest.mark.long
def test_rtmdet_is_the_same_in_pytorch(store):
    models = Models(store)
    tflite = models.convert("mirror")
    check_float(store, tflite, models.dataset)
    check_integers(store, models.quantise(tflite, "int8"), models.dataset)
