"""Child process only: small networks of the tests' generators, written as ONNX files."""

import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from benchmarks.zoo.small_networks import CASES, USUAL
from benchmarks.zoo.specimen import Specimen
from tests.cases.kinds import build
from tests.graph.networks import HEADS, LAYERS, MORE_OFTEN, grow
from tests.toolchain.usual_networks import NETWORKS

DEPTH = 10


def write(specimen: Specimen, file: Path) -> None:
    """The network of this name."""
    if specimen.what in USUAL:
        NETWORKS[specimen.what](str(file))
    elif specimen.what in CASES:
        onnx.save(build(specimen.what), file)
    else:
        onnx.save(_random(specimen), file)


def _random(specimen: Specimen) -> onnx.ModelProto:
    """The first network of the name's seeds that ONNX Runtime runs."""
    random = np.random.default_rng(zlib.crc32(specimen.what.encode()))
    opset = int(specimen.what.split("_")[1].removeprefix("opset"))
    while True:
        model = _grow(random, opset)
        with suppress(Exception):  # onnxruntime's errors have no common base class of their own
            onnxruntime.InferenceSession(model.SerializeToString())
            return model


def _grow(random: np.random.Generator, opset: int) -> onnx.ModelProto:
    layers = [*LAYERS, *(MORE_OFTEN * 2)]

    def steps(names: list[str], number: int) -> list[tuple[str, int]]:
        return [(str(name), int(random.integers(2**32))) for name in random.choice(names, number)]

    height, width = (int(side) for side in random.integers(6, 25, 2))
    return grow(opset, (3, height, width), steps(layers, DEPTH), steps([*HEADS], 2)).model
