"""Does the canonical form keep its promises, whatever the opset and the exporter's habits?"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnx import ModelProto, NodeProto, TensorProto

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.canonical import PASSES, Change, canonicalise
from mmdet2tflite.graph.edit import shape_of
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.graph.window_operators import find_window_operators
from tests.graph.passes.test_focus import focus_of_mmdeploy
from tests.graph.passes.tiny import build, integers, node, run

SIZE = (12, 10)
"""Width and height."""
ROUNDING = 100 * np.finfo(np.float32).eps
"""A few layers' worth: folding scales the weights instead of the outputs."""
OPSETS = [9, 11, 13, 17, 20]


def exported(opset: int) -> ModelProto:
    """A stem with batch norm and SAME, a Pad before a pooling and a convolution, a shape chain."""
    positive = {"g": 0.7, "v": 2.3, "m": -0.4, "b": 0.3}
    constants = {name: np.array([n, 2 * n, n / 3]) for name, n in positive.items()}
    constants["v"] = np.abs(constants["v"])
    weights = {"w": integers(3, 2, 3, 3), "w2": integers(3, 1, 3, 3), "bias": integers(3)}
    nodes = [
        node("Conv", ["x", "w", "bias"], ["c1"], strides=[2, 2], auto_pad="SAME_LOWER"),
        node("BatchNormalization", ["c1", "g", "b", "m", "v"], ["n1"]),
        node("Relu", ["n1"], ["r1"]),
        node("Dropout", ["r1"], ["d1"]),
        *pad("d1", "p1", opset),
        node("Conv", ["p1", "w2"], ["c2"], group=3, strides=[2, 2]),
        *pad("d1", "p2", opset),
        node("MaxPool", ["p2"], ["m1"], kernel_shape=[3, 3], strides=[2, 2]),
        node("Add", ["c2", "m1"], ["a1"]),
        node("BatchNormalization", ["a1", "g", "b", "m", "v"], ["map"]),
        node("Identity", ["map"], ["copy"]),
        node("Shape", ["copy"], ["s"]),
        node("Cast", ["s"], ["sf"], to=TensorProto.FLOAT),
        node("Cast", ["sf"], ["si"], to=TensorProto.INT64),
        node("Gather", ["si", "first"], ["n"]),
        node("Concat", ["n", "rest"], ["target"], axis=0),
        node("Reshape", ["copy", "target"], ["flat"]),
        node("Neg", ["flat"], ["unread"]),
    ]
    integral = {"first": np.array([0]), "rest": np.array([3, -1]), "pads": PADS}
    floats = {name: array.astype(np.float32) for name, array in {**constants, **weights}.items()}
    return build(
        nodes,
        {**floats, **integral, "zero": np.float32(0)},
        image=("N", 2, "H", "W"),
        outputs={"flat": 3, "map": 4},
        opset=opset,
    )


PADS = np.array([0, 0, 1, 1, 0, 0, 1, 1])


def pad(source: str, target: str, opset: int) -> list[NodeProto]:
    if opset < 11:
        return [node("Pad", [source], [target], pads=PADS.tolist(), value=0.0)]
    return [node("Pad", [source, "pads", "zero"], [target])]


@pytest.fixture(params=OPSETS)
def model(request: pytest.FixtureRequest) -> ModelProto:
    return exported(request.param)


def load(model: ModelProto, tmp_path: Path) -> tuple[ir.Model, tuple[Change, ...]]:
    file = tmp_path / "model.onnx"
    file.write_bytes(model.SerializeToString())
    loaded = load_model(file, SIZE)
    return loaded, canonicalise(loaded)


def test_it_computes_the_same(model: ModelProto, tmp_path: Path) -> None:
    canonical, _ = load(model, tmp_path)
    image = np.random.default_rng(0).random((1, 2, *SIZE[::-1]), np.float32)
    wanted, got = run(model, image), run(ir.to_proto(canonical), image)
    assert list(got) == ["flat", "map"]
    for name, value in wanted.items():
        atol = ROUNDING * np.abs(value).max()
        np.testing.assert_allclose(got[name], value, rtol=0, atol=atol, err_msg=name)


def test_it_is_what_it_promises(model: ModelProto, tmp_path: Path) -> None:
    canonical, _ = load(model, tmp_path)
    assert Counter(each.op_type for each in canonical.graph) == Counter(
        {"Conv": 2, "Relu": 1, "MaxPool": 1, "Add": 2, "Mul": 1, "Reshape": 1}
    )
    names = [each.name for each in canonical.graph]
    assert len(set(names)) == len(names)
    assert all(shape_of(output) for each in canonical.graph for output in each.outputs)
    used = {value for each in canonical.graph for value in each.inputs}
    assert used.issuperset(canonical.graph.initializers.values())
    assert len(find_window_operators(canonical.graph)) == 3


def test_a_second_time_there_is_nothing_left_to_do(model: ModelProto, tmp_path: Path) -> None:
    canonical, _ = load(model, tmp_path)
    assert canonicalise(canonical) == ()


def test_every_pass_says_what_it_did(tmp_path: Path) -> None:
    _, changes = load(exported(13), tmp_path)
    said = {change.name: change.sentences for change in changes}
    assert [change.name for change in changes] == [
        "NameNodes",
        "RemoveUnused",
        "FoldConstants",
        "RemoveIdentities",
        "FoldBatchNormalization",
        "ResolveAutoPad",
        "MergePads",
    ]
    assert said["FoldBatchNormalization"] == (
        "folded BatchNormalization BatchNormalization into Conv Conv",
        "wrote BatchNormalization BatchNormalization_1 as Mul and Add: "
        "no layer before it to fold into",
    )
    # 10 rows and 12 columns, kernel 3, stride 2: one row and one column, at the beginning.
    assert said["ResolveAutoPad"] == (
        "wrote auto_pad SAME_LOWER of Conv Conv as pads [1, 1, 0, 0]",
    )
    assert said["MergePads"] == (
        "merged Pad Pad into Conv Conv_1",
        "merged Pad Pad_1 into MaxPool MaxPool",
    )


def test_a_batch_norm_between_focus_and_activation_ends_up_in_one_convolution(
    tmp_path: Path,
) -> None:
    width, height = SIZE
    constants = {
        "split": np.array([1, 2, height // 2, 2, width // 2, 2]),
        "joined": np.array([1, 8, height // 2, width // 2]),
        "w": integers(3, 8, 3, 3),
        "pads": PADS,
        **{name: np.array([1, 4, 16], np.float32) for name in ("g", "b", "m", "v")},
    }
    nodes = [
        *focus_of_mmdeploy(),
        node("Pad", ["f", "pads"], ["p"]),
        node("Conv", ["p", "w"], ["c"]),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"], epsilon=0.0),
        node("Relu", ["n"], ["y"]),
    ]
    original = build(nodes, constants, image=(1, 2, height, width))
    canonical, _ = load(original, tmp_path)
    assert [each.op_type for each in canonical.graph] == ["Conv", "Relu"]
    np.testing.assert_array_equal(run(ir.to_proto(canonical))["y"], run(original)["y"])
    (window,) = find_window_operators(canonical.graph)
    assert [(axis.kernel, axis.stride, axis.begin) for axis in window.axes] == [(6, 2, 2)] * 2
    assert window.is_same


def test_a_size_that_the_model_cannot_take_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Reshape", ["c", "flat"], ["y"], name="flatten"),
    ]
    constants = {"w": integers(1, 2, 3, 3), "flat": np.array([1, 1, 6, 6])}
    model = build(nodes, constants, image=(1, 2, "H", "W"))
    with pytest.raises(ModelError) as error:
        load(model, tmp_path)
    assert error.value.found.startswith(
        "Reshape flatten cannot take inputs of the shapes [1,1,8,10]"
    )


def test_pools_and_automatic_pads_are_resolved_before_pads_are_merged() -> None:
    order = [kind.__name__ for kind in PASSES]
    assert order.index("ResolveAutoPad") < order.index("ResolveCeilMode") < order.index("MergePads")
    assert order.index("MergePads") < order.index("FoldFocus")
