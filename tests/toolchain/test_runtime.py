"""The runtime that a user ships finds what the evaluation found, on the golden network's files."""

import json
from itertools import product
from typing import get_args

import numpy as np
import pytest

from mmdet2tflite.config.experiment import Variants
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.evaluate.request import EvaluateRequest
from mmdet2tflite.evaluate.results import Evaluated, to_results
from mmdet2tflite.evaluate.worker import run_images
from mmdet2tflite.quantize import quantize_worker
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig
from mmdet2tflite.runtime import Detector
from mmdet2tflite.stage import Job
from tests.toolchain.conftest import STRATEGIES, convert
from tests.toolchain.golden import EVALUATION, TIMEOUT

pytestmark = pytest.mark.toolchain

PRECISIONS = tuple(name for name in get_args(PrecisionName) if name != "float32")
QUANTISED = [
    pytest.param(
        strategy,
        precision,
        marks=[] if strategy == "mirror" else [pytest.mark.long],
    )
    for strategy, precision in product(STRATEGIES, PRECISIONS)
]
IMAGES, BOXES = 24, 24
"""How many there are, and how many are found at least."""


@pytest.fixture(scope="module")
def images(main_path):
    """Paths of all validation images by id."""
    data = main_path.store.path(main_path.dataset, main_path.dataset.val.annotations)
    entries = json.loads(data.read_text(encoding="utf-8"))["images"]
    return {entry["id"]: data.parent / entry["file_name"] for entry in entries}


@pytest.fixture
def quantise(main_path, monkeypatch):
    """Another precision of a file, made in this process: a child would only import the tools."""

    def ask(job, tool, worker, request, result, **_):
        return quantize_worker.quantise(request)

    def build(tflite, precision):
        with monkeypatch.context() as patch:
            patch.setattr(Job, "ask", ask)
            return QUANTIZE.build(
                main_path.store,
                QuantizeConfig.of(precision, Variants()),
                timeout=TIMEOUT,
                model=tflite,
                dataset=main_path.dataset,
            )

    return build


@pytest.fixture
def evaluate(main_path, images, tmp_path):
    """What the evaluation's child finds on all images, found in this process."""

    def detections(model):
        data = main_path.store.path(main_path.dataset, main_path.dataset.val.annotations)
        spec = EvaluateRequest(
            model=model,
            model_folder=main_path.store.path(model),
            annotations=data,
            images=data.parent,
            reference=None,
            config=EVALUATION,
            work=tmp_path,
        )
        return run_images(spec, images)

    return detections


def assert_same(path, images, expected: Evaluated):
    """To the last bit, on every image."""
    assert len(images) == len(expected.detections) == IMAGES
    assert len(expected.coco_results()) > BOXES
    found = dict(zip(images, Detector(path)(list(images.values())), strict=True))
    for image_id, detections in found.items():
        assert to_results(image_id, detections) == to_results(
            image_id, expected.detections[image_id]
        )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_detections_are_those_of_the_report_to_the_last_bit(main_path, variants, images, strategy):
    variant = variants[strategy]
    assert_same(variant.path, images, Evaluated.load(main_path.store.path(variant.report)))


@pytest.mark.parametrize(("strategy", "precision"), QUANTISED)
def test_detections_of_every_precision_are_those_of_the_evaluation(
    main_path, variants, images, quantise, evaluate, strategy, precision
):
    model = quantise(variants[strategy].tflite, precision)
    assert_same(main_path.store.path(model, model.file), images, evaluate(model))


@pytest.mark.long
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("strategy", ["explicit", "mirror"])
def test_so_are_those_of_the_second_route(
    main_path, images, quantise, evaluate, strategy, precision
):
    model = convert(main_path.store, main_path.dataset, main_path.onnx, strategy, "openvino")[1]
    if precision != "float32":
        model = quantise(model, precision)
    assert_same(main_path.store.path(model, model.file), images, evaluate(model))


def test_a_threshold_keeps_the_best_detections_of_the_report(main_path, variants, images):
    expected = Evaluated.load(main_path.store.path(variants["mirror"].report)).detections
    detector = Detector(variants["mirror"].path, score_threshold=0.3)
    for image_id, path in images.items():
        found, all_of_them = detector(path), expected[image_id]
        sure = all_of_them[all_of_them.scores >= np.float32(0.3)]
        assert found.scores.tolist() == sure.scores.tolist()
        assert found.labels.tolist() == sure.labels.tolist()
        assert found.names == [str(label) for label in sure.labels]  # the classes are digits
