"""Every family of heads: mmdet's numbers in the ONNX and in a TFLite file without PADs.

The workers of the stages run in this process: mmdet and mmdeploy are imported once for all.
"""

from importlib import import_module

import numpy as np
import pytest

from mmdet2tflite.config.experiment import DetectorConfig, Export, Training
from mmdet2tflite.data.files import image_files
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.runtime import Detector
from mmdet2tflite.stage import Job
from mmdet2tflite.tflite.census import PADS, tflite_ops
from tests.toolchain.conftest import convert
from tests.toolchain.golden import TIMEOUT, TOLERANCE
from tests.toolchain.tiny_heads import SIZE, TINY, write_config, write_weights

pytestmark = pytest.mark.toolchain

QUICK = ("ssdlite", "yolof")
"""The others are `long`: a decoder of each is held against mmdet in test_decode_equals_mmdet.py."""
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in TINY]
SAME_SCORE = 2.5e-4
"""A logit that is off by the tolerance, 1e-4 of a range of some ten, a quarter of that."""
SAME_BOX = 5e-2
"""Pixels: 1e-4 of a range of some hundreds."""
HERE = {
    "mmdet2tflite.detector.export_worker": "export",
    "mmdet2tflite.graph.rewrite_worker": "rewrite",
    "mmdet2tflite.convert.check_worker": "check",
}


@pytest.fixture(autouse=True)
def workers_in_this_process(monkeypatch):
    ask = Job.ask

    def ask_here(job, tool, worker, request, result, **settings):
        if worker not in HERE:
            return ask(job, tool, worker, request, result, **settings)
        return getattr(import_module(worker), HERE[worker])(request)

    def train_here(request, **settings):
        return import_module("mmdet2tflite.detector.train_worker").train(request)

    monkeypatch.setattr(Job, "ask", ask_here)
    monkeypatch.setattr("mmdet2tflite.detector.train.run_worker", train_here)


def checkpoint_of(store, digits, folder, name):
    config = write_config(folder, name)
    training = TrainConfig(
        detector=DetectorConfig(config=config, input_size=SIZE),
        training=Training(epochs=0, checkpoint=write_weights(config, len(digits.classes))),
    )
    return TRAIN.build(store, training, timeout=TIMEOUT, dataset=digits)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_pads_finds_what_mmdet_finds(store, digits, rotated_digits, tmp_path, name):
    from mmdet2tflite.detector.torch_runner import TorchRunner

    digits = rotated_digits if name.startswith("rotated") else digits
    checkpoint = checkpoint_of(store, digits, tmp_path, name)
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)
    tflite = convert(store, digits, onnx, "mirror")[1]

    assert onnx.metrics["check.relative"] <= TOLERANCE
    assert tflite.metrics["check.relative"] <= TOLERANCE
    path = store.path(tflite, tflite.file)
    ops = tflite_ops(path)
    assert sum(ops[name] for name in PADS) == 0
    weights, complete = (store.path(checkpoint, f) for f in (checkpoint.weights, checkpoint.config))
    mmdets, detector = TorchRunner(weights, complete, onnx.head, threads=2), Detector(path)
    for image in image_files(store, digits, "val")[:3]:
        expected, found = mmdets.predict(image), detector(image)
        assert len(expected) >= 5
        # Of two that overlap and are almost as sure, another one may be left.
        assert np.mean(found_again(expected, found)) >= 0.9


def found_again(expected, found):
    """For each detection whether there is one of its class with the same score and the same box."""
    same = np.abs(expected.scores[:, None] - found.scores) <= SAME_SCORE
    corners = [each.corners.reshape(-1, 8) for each in (expected, found)]
    same &= np.abs(corners[0][:, None] - corners[1]).max(axis=2) <= SAME_BOX
    return (same & (expected.labels[:, None] == found.labels)).any(axis=1)


@pytest.mark.long
def test_a_head_that_no_decoder_knows_is_cut_behind_it_and_its_maps_are_numbered(
    store, digits, tmp_path
):
    checkpoint = checkpoint_of(store, digits, tmp_path, "paa")
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)
    assert onnx.head.family is None
    width, height = SIZE
    assert [(output.name, output.shape) for output in onnx.outputs] == [
        (f"map_{kind}_{level}", (1, channels, -(-height // stride), -(-width // stride)))
        for kind, channels in enumerate((10, 4, 1))
        for level, stride in enumerate((8, 16, 32, 64, 128))
    ]
    assert onnx.metrics["check.relative"] <= TOLERANCE
    tflite = convert(store, digits, onnx, "mirror")[1]
    assert tflite.metrics["check.relative"] <= TOLERANCE


@pytest.mark.long
def test_the_maps_of_a_network_of_masks_are_converted_though_nothing_here_makes_masks_of_them(
    store, digits, tmp_path
):
    checkpoint = checkpoint_of(store, digits, tmp_path, "rtmdet_ins")
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)
    width, height = SIZE
    kernels = 169  # 3 dynamic convolutions: (8 + 2) x 8 + 8 x 8 + 8 x 1 weights, 8 + 8 + 1 biases
    assert [(output.name, output.shape) for output in onnx.outputs] == [
        *(
            (f"map_{kind}_{level}", (1, channels, height // stride, width // stride))
            for kind, channels in enumerate((10, 4, kernels))
            for level, stride in enumerate((8, 16, 32))
        ),
        ("map_3", (1, 8, height // 8, width // 8)),
    ]
    tflite = convert(store, digits, onnx, "mirror")[1]
    assert max(each.metrics["check.relative"] for each in (onnx, tflite)) <= TOLERANCE
    ops = tflite_ops(store.path(tflite, tflite.file))
    assert sum(ops[name] for name in PADS) == 0
