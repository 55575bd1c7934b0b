"""Entries of a benchmark: a base, one that is twice as fast, and one that failed."""

import pytest

from benchmarks.conversion.entry import Entry
from mmdet2tflite.artifacts import OnnxModel, Report, TfliteModel
from tests.evaluate.constant_network import HEAD, PREPROCESSING

BASE = TfliteModel(
    head=HEAD,
    preprocessing=PREPROCESSING,
    outputs=(),
    strategy="stock",
    exact=True,
    converter="onnx2tf",
    precision="float32",
)
ONNX = OnnxModel(head=HEAD, preprocessing=PREPROCESSING, outputs=(), opset=13)
FAILURE = """\
Tool failed: onnx2tf 2.6.9 ended with status 1: ValueError: /home/me/a b/model.tflite at conv.cc:1
  expected: the tool to end with status 0
  to do:    read /home/me/log"""


@pytest.fixture
def entries() -> list[Entry]:
    def report(**metrics: float) -> Report:
        return Report(runtime="", variant="", model="", metrics=metrics)

    return [
        Entry(
            name="base",
            command="tool --base",
            model=BASE,
            report=report(map=0.51239, size_mb=3.678, pads=6),
        ),
        Entry(name="broken", command="tool --broken", failure=FAILURE),
        Entry(name="fast", command="tool --fast", model=ONNX, report=report(map=0.5, size_mb=1)),
    ]


@pytest.fixture
def rounds() -> dict[str, dict[str, list[float]]]:
    both = {"base": [2.0, 4.0, 8.0], "fast": [1.0, 2.0, 4.4]}
    return {"1 thread": both, "2 threads": both, "builtin, 1 thread": {"base": [5.0, 5.0, 6.0]}}
