"""What a converter is given: plain names, and outputs that its optimisers leave alone."""

import onnx_ir as ir
import pytest

from mmdet2tflite.convert.spelling import Spelling, spell
from mmdet2tflite.graph.inputs import CHANNELS_LAST, LAYOUT

FLOAT = ir.DataType.FLOAT


def value(name: str, *shape: int, kind: ir.DataType = FLOAT) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(kind))


def model(inputs: list[ir.Value], outputs: list[ir.Value], nodes: list[ir.Node]) -> ir.Model:
    graph = ir.Graph(inputs, outputs, nodes=nodes, opset_imports={"": 13}, name="g")
    return ir.Model(graph, ir_version=8)


def node(op_type: str, source: ir.Value, name: str, kind: ir.DataType = FLOAT) -> ir.Node:
    made = ir.node(op_type, [source], name=f"make {name}")
    output = made.outputs[0]
    output.name, output.type, output.shape = name, ir.TensorType(kind), source.shape
    return made


def test_plain_outputs_that_nothing_reads_stay_as_they_are() -> None:
    x = value("x", 1, 3, 4, 4)
    relu = node("Relu", x, "y")
    given = model([x], [relu.outputs[0]], [relu])
    turned = {"x": (1, 3, 4, 4)}
    assert spell(given) == Spelling({"x": "x", "y": "y"}, turned=turned)
    assert [each.op_type for each in given.graph] == ["Relu"]


def test_an_output_that_is_read_gets_a_marker_and_its_reader_keeps_the_inner_value() -> None:
    x = value("x", 1, 3, 4, 4)
    conv = node("Relu", x, "y")
    tail = node("Sigmoid", conv.outputs[0], "z")
    given = model([x], [conv.outputs[0], tail.outputs[0]], [conv, tail])
    spelling = spell(given)
    assert spelling.marked == ("y",)
    assert [output.name for output in given.graph.outputs] == ["y", "z"]
    marker = given.graph.outputs[0].producer()
    assert marker is not None
    assert marker.op_type == "Neg"
    assert marker.inputs[0] is tail.inputs[0]


def test_an_output_that_is_another_one_gets_a_marker_of_the_value_itself() -> None:
    x = value("x", 1, 3, 4, 4)
    relu = node("Relu", x, "y")
    same = node("Identity", relu.outputs[0], "z")
    given = model([x], [relu.outputs[0], same.outputs[0]], [relu, same])
    assert spell(given).marked == ("y", "z")
    first, second = (output.producer() for output in given.graph.outputs)
    assert first is not None
    assert second is not None
    assert first.inputs[0] is second.inputs[0]


@pytest.mark.parametrize(
    ("kind", "marker"),
    [(ir.DataType.INT64, "Neg"), (ir.DataType.BOOL, "Not"), (ir.DataType.UINT8, None)],
)
def test_the_marker_takes_the_type_of_the_output(kind: ir.DataType, marker: str | None) -> None:
    x = value("x", 1, 4, kind=kind)
    first = node("Cast", x, "y", kind)
    second = node("Cast", first.outputs[0], "z", kind)
    given = model([x], [first.outputs[0], second.outputs[0]], [first, second])
    assert spell(given).marked == (("y",) if marker else ())
    found = given.graph.outputs[0].producer()
    assert found is not None
    assert found.op_type == (marker or "Cast")


@pytest.mark.parametrize("names", [("/x", "y"), ("x", "a:b"), ("Map", "map")])
def test_names_that_are_not_plain_or_differ_in_case_alone_are_replaced(
    names: tuple[str, str],
) -> None:
    x = value(names[0], 1, 3, 4, 4)
    relu = node("Relu", x, names[1])
    given = model([x], [relu.outputs[0]], [relu])
    assert spell(given).names == {names[0]: "input_0", names[1]: "output_0"}
    assert given.graph.inputs[0].name == "input_0"
    assert given.graph.outputs[0].name == "output_0"


def test_inputs_that_are_no_channels_first_maps_keep_their_layout() -> None:
    image, tokens = value("image", 1, 4, 4, 3), value("tokens", 1, 7)
    volume = value("volume", 1, 3, 4, 4, 4)
    image.metadata_props[LAYOUT] = CHANNELS_LAST
    nodes = [node("Relu", each, f"{each.name}_out") for each in (image, tokens, volume)]
    given = model([image, tokens, volume], [each.outputs[0] for each in nodes], nodes)
    assert spell(given).kept == ("image", "tokens")


def test_an_output_that_is_a_copy_of_an_input_gets_a_marker() -> None:
    """Its reader would otherwise read what onnx2tf took away with the copy."""
    x = value("x", 1, 3, 4, 4)
    copy, relu = node("Identity", x, "copy"), node("Relu", x, "y")
    given = model([x], [copy.outputs[0], relu.outputs[0]], [copy, relu])
    assert spell(given).marked == ("copy",)
    marker = given.graph.outputs[0].producer()
    assert marker is not None
    assert marker.inputs[0] is x


def test_a_cube_is_kept_and_turned_in_the_file() -> None:
    """C = H = W: onnx2tf takes its two layouts for one another."""
    cube, image = value("cube", 1, 4, 4, 4), value("image", 1, 4, 4, 5)
    volume, last = value("volume", 2, 3, 3, 3, 3), value("last", 1, 4, 4, 4)
    last.metadata_props[LAYOUT] = CHANNELS_LAST
    inputs = [cube, image, volume, last]
    nodes = [node("Relu", each, f"{each.name}_out") for each in inputs]
    spelling = spell(model(inputs, [each.outputs[0] for each in nodes], nodes))
    assert spelling.kept == ("cube", "volume", "last")
    assert spelling.turned == {
        "cube": (1, 4, 4, 4),
        "image": (1, 4, 4, 5),
        "volume": (2, 3, 3, 3, 3),
    }
