"""Child process only: small networks of the tests' generators, written as ONNX files."""

import zlib
from pathlib import Path

import numpy as np
import onnx

from benchmarks.zoo.small_networks import USUAL
from benchmarks.zoo.specimen import Specimen
from tests.graph.networks import HEADS, LAYERS, MORE_OFTEN, grow
from tests.toolchain.usual_networks import NETWORKS

DEPTH = 10


def write(specimen: Specimen, file: Path) -> None:
    """The network of this name."""
    if specimen.what in USUAL:
        NETWORKS[specimen.what](str(file))
        return
    seed = zlib.crc32(specimen.what.encode())
    random = np.random.default_rng(seed)
    layers = [*LAYERS, *(MORE_OFTEN * 2)]

    def steps(names: list[str], number: int) -> list[tuple[str, int]]:
        return [(str(name), int(random.integers(2**32))) for name in random.choice(names, number)]

    height, width = (int(side) for side in random.integers(6, 25, 2))
    opset = int(specimen.what.split("_")[1].removeprefix("opset"))
    network = grow(opset, (3, height, width), steps(layers, DEPTH), steps([*HEADS], 2))
    onnx.save(network.model, file)
