"""The pad arithmetic against ONNX Runtime's convolution: one graph of many, exact integers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mmdet2tflite.geometry import Axis, Pads, resolve_auto_pad, same_pads

type Attributes = dict[str, object]

SIZES = (11, 16)
PADS = ((0, 0), (1, 1), (1, 0), (0, 2), (3, 3))
RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Convolution:
    """A 1-D convolution of ``rows`` by ``taps``; ``pads`` or ``auto_pad`` among the attributes."""

    rows: np.ndarray
    taps: np.ndarray
    attributes: Attributes


def run(convolutions: list[Convolution]) -> list[np.ndarray]:
    """Outputs of all, by one session: integers small enough to be exact in float32."""
    nodes, values, outputs = [], [], []
    for number, convolution in enumerate(convolutions):
        names = [f"rows_{number}", f"taps_{number}"]
        for name, value in zip(names, (convolution.rows, convolution.taps), strict=True):
            tensor = value.astype(np.float32).reshape(1, 1, -1)
            values.append(numpy_helper.from_array(tensor, name))
        output = f"output_{number}"
        nodes.append(helper.make_node("Conv", names, [output], **convolution.attributes))
        outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 1, None]))
    graph = helper.make_graph(nodes, "convolutions", [], outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [output.ravel() for output in session.run(None, {})]


def integers(count: int) -> np.ndarray:
    return RANDOM.integers(-9, 10, count)


def explicit(axis: Axis, rows: np.ndarray, taps: np.ndarray) -> Convolution:
    assert axis.crop == 0
    pads = [axis.begin, axis.end]
    attributes = {"strides": [axis.stride], "dilations": [axis.dilation], "pads": pads}
    return Convolution(rows, taps, attributes)


def automatic(
    mode: str, stride: int, dilation: int, rows: np.ndarray, taps: np.ndarray
) -> Convolution:
    """ONNX Runtime refuses dilation under SAME: the same kernel, its zeros written out."""
    dense = np.zeros((len(taps) - 1) * dilation + 1, np.int64)
    dense[::dilation] = taps
    return Convolution(rows, dense, {"strides": [stride], "auto_pad": mode})


def cropped(axis: Axis, rows: np.ndarray, taps: np.ndarray) -> Convolution:
    """An axis with a crop, as ONNX can express it: without the rows that are skipped."""
    rest = replace(axis, size=axis.size - axis.crop, crop=0)
    return explicit(rest, rows[axis.crop :], taps)


def axes(pads: Callable[[int, int, int, int], tuple[Pads, ...]]) -> Iterator[Axis]:
    """Kernels 1-7, strides 1-3, dilations 1-3 on an odd and an even size, where they fit."""
    for size, kernel, stride, dilation in product(SIZES, range(1, 8), (1, 2, 3), (1, 2, 3)):
        for begin, end in pads(size, kernel, stride, dilation):
            if size + begin + end > (kernel - 1) * dilation:
                yield Axis(
                    size=size,
                    kernel=kernel,
                    stride=stride,
                    dilation=dilation,
                    begin=begin,
                    end=end,
                )


def assert_equal(left: list[Convolution], right: list[Convolution]) -> None:
    assert len(left) > 100
    results = run(left + right)
    for wanted, got in zip(results[: len(left)], results[len(left) :], strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_output_is_what_onnxruntime_computes() -> None:
    every = list(axes(lambda *_: PADS))
    outputs = run([explicit(axis, integers(axis.size), integers(axis.kernel)) for axis in every])
    assert [len(output) for output in outputs] == [axis.output for axis in every]


@pytest.mark.parametrize("mode", ["VALID", "SAME_UPPER", "SAME_LOWER"])
def test_auto_pad_and_the_explicit_pads_it_stands_for_give_the_same(mode: str) -> None:
    left, right = [], []
    for axis in axes(lambda *numbers: (resolve_auto_pad(mode, *numbers),)):
        rows, taps = integers(axis.size), integers(axis.kernel)
        left.append(automatic(mode, axis.stride, axis.dilation, rows, taps))
        right.append(explicit(axis, rows, taps))
    assert_equal(left, right)


def test_an_end_pad_beyond_the_effective_one_changes_nothing() -> None:
    left, right = [], []
    for axis in axes(lambda *_: PADS):
        rows, taps = integers(axis.size), integers(axis.kernel)
        left.append(explicit(axis, rows, taps))
        attributes = {**left[-1].attributes, "pads": [axis.begin, axis.effective_end]}
        right.append(Convolution(rows, taps, attributes))
    assert_equal(left, right)


def test_what_is_same_gives_the_same_under_same_upper() -> None:
    left, right = [], []
    for axis in axes(lambda *numbers: (*PADS, same_pads(*numbers))):
        if axis.is_same:
            rows, taps = integers(axis.size), integers(axis.kernel)
            left.append(explicit(axis, rows, taps))
            right.append(automatic("SAME_UPPER", axis.stride, axis.dilation, rows, taps))
    assert_equal(left, right)


def test_everything_flipped_gives_the_flipped_output() -> None:
    every = list(axes(lambda *_: PADS))
    data = [(integers(axis.size), integers(axis.kernel)) for axis in every]
    results = run(
        [explicit(axis, *pair) for axis, pair in zip(every, data, strict=True)]
        + [
            cropped(axis.flip(), rows[::-1], taps[::-1])
            for axis, (rows, taps) in zip(every, data, strict=True)
        ]
    )
    assert any(axis.flip().crop for axis in every)
    for wanted, got in zip(results[: len(every)], results[len(every) :], strict=True):
        np.testing.assert_array_equal(got, wanted[::-1])


@pytest.mark.parametrize("flipped", [False, True], ids=["as_it_is", "flipped"])
def test_a_widened_kernel_gives_the_same_under_same_upper(flipped: bool) -> None:
    left, right = [], []
    for axis in axes(lambda *_: PADS):
        axis = axis.flip() if flipped else axis
        widening = axis.widening()
        if widening is not None:
            rows, taps = integers(axis.size), integers(axis.kernel)
            left.append(cropped(axis, rows, taps))
            wider = np.pad(taps, widening)
            right.append(automatic("SAME_UPPER", axis.stride, axis.dilation, rows, wider))
    assert_equal(left, right)
