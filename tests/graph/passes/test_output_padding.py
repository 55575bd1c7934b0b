"""Does a transposed convolution keep its outputs when its output padding becomes taps of zero?"""

from itertools import product

import numpy as np
import onnx
import pytest

from mmdet2tflite.graph.passes.output_padding import SpellOutOutputPadding
from tests.graph.passes.tiny import IMAGE, Done, apply, assert_same, build, integers, node


def transposed(**how: object) -> tuple[onnx.ModelProto, Done]:
    """A ConvTranspose of a 3 x 2 kernel before and after the pass."""
    constants = {"w": integers(IMAGE[1], 3, 3, 2), "b": integers(3, seed=1)}
    model = build([node("ConvTranspose", ["x", "w", "b"], ["y"], name="t", **how)], constants)
    return model, apply(SpellOutOutputPadding, model)


@pytest.mark.parametrize("dilations", [(1, 1), (2, 3)])
@pytest.mark.parametrize("extras", product((0, 1, 2), (0, 1, 3)))
def test_it_computes_the_same(extras: tuple[int, int], dilations: tuple[int, int]) -> None:
    for pads in ((0, 0, 0, 0), (1, 0, 1, 1), (0, 1, 0, 2)):
        how = {"strides": [3, 4], "pads": pads, "dilations": dilations}
        model, done = transposed(output_padding=extras, **how)
        assert_same(model, done.model)
        beyond = any(extra > end for extra, end in zip(extras, pads[2:], strict=True))
        assert ("output_padding" in done.one("ConvTranspose").attributes) != beyond
        assert bool(done.sentences) == beyond


def test_what_the_end_pads_hold_stays() -> None:
    model, done = transposed(strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    assert done.sentences == []
    np.testing.assert_array_equal(
        done.one("ConvTranspose").attributes["output_padding"].as_ints(), [1, 1]
    )
    assert_same(model, done.model)


def test_the_sentence_names_the_node() -> None:
    _, done = transposed(strides=[2, 2], output_padding=[1, 1])
    assert done.sentences == ["wrote the output padding of ConvTranspose t as taps of zero"]
