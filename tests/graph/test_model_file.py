"""Is a good file brought into one shape, and a bad one refused with what to do about it?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.model_file import load_model, save_model
from tests.graph.passes.tiny import build, integers, node, run

WEIGHTS = {"w": integers(3, 2, 3, 3)}
CONV = node("Conv", ["x", "w"], ["y"], name="stem", pads=[1, 1, 1, 1], strides=[2, 2])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def network(image: tuple = (1, 2, 7, 8), opset: int = 13, nodes: tuple = (CONV,)) -> ModelProto:
    return build(nodes, WEIGHTS, image=image, opset=opset)


def write(model: ModelProto, file: Path) -> Path:
    file.write_bytes(model.SerializeToString())
    return file


def input_shape(model: ir.Model) -> list:
    (image,) = model.graph.inputs
    assert image.shape is not None
    return list(image.shape)


def test_a_static_model_stays_what_it_is(file: Path) -> None:
    model = network()
    loaded = load_model(write(model, file))
    assert input_shape(loaded) == [1, 2, 7, 8]
    np.testing.assert_array_equal(run(ir.to_proto(loaded))["y"], run(model)["y"])


@pytest.mark.parametrize("size", [None, (8, 7)])
@pytest.mark.parametrize("batch", ["N", 1, -1, 0])
def test_a_symbolic_batch_is_one(batch: object, size: tuple[int, int] | None, file: Path) -> None:
    model = network()
    (first, *_) = model.graph.input[0].type.tensor_type.shape.dim
    if isinstance(batch, str):
        first.dim_param = batch
    else:
        first.dim_value = batch
    assert input_shape(load_model(write(model, file), size)) == [1, 2, 7, 8]


def test_the_input_size_is_width_and_height(file: Path) -> None:
    loaded = load_model(write(network(("N", 2, "H", "W")), file), (10, 6))
    assert input_shape(loaded) == [1, 2, 6, 10]


def test_shapes_of_the_symbolic_size_are_forgotten(file: Path) -> None:
    model = network(("N", 2, "H", 8))
    stale = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 99, 99])
    model.graph.output[0].CopyFrom(stale)
    loaded = load_model(write(model, file), (8, 6))
    (output,) = loaded.graph.outputs
    assert output.shape is not None
    assert len(output.shape) == 4
    assert not any(isinstance(side, int) for side in output.shape)


def test_initializers_with_an_input_of_their_name_are_no_inputs(file: Path) -> None:
    model = network()
    weights = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2, 3, 3])
    model.graph.input.append(weights)
    loaded = load_model(write(model, file))
    assert [value.name for value in loaded.graph.inputs] == ["x"]


def test_functions_are_inlined(file: Path) -> None:
    model = network()
    model.graph.node[0].CopyFrom(node("Block", ["x", "w"], ["y"], domain="mine"))
    model.opset_import.append(helper.make_opsetid("mine", 1))
    body = [node("Conv", ["a", "b"], ["c"]), node("Relu", ["c"], ["d"])]
    imports = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("mine", "Block", ["a", "b"], ["d"], body, imports))
    loaded = load_model(write(model, file))
    assert [each.op_type for each in loaded.graph] == ["Conv", "Relu"]


def test_external_data_is_read_in(file: Path) -> None:
    onnx.save(network(), file, save_as_external_data=True, location="weights", size_threshold=0)
    assert (file.parent / "weights").exists()
    loaded = load_model(file)
    (file.parent / "weights").unlink()
    (weights,) = loaded.graph.initializers.values()
    assert weights.const_value is not None
    np.testing.assert_array_equal(weights.const_value.numpy(), WEIGHTS["w"])


def test_what_is_saved_is_loaded(file: Path) -> None:
    model = ir.from_proto(network())
    save_model(model, file)
    np.testing.assert_array_equal(
        run(ir.to_proto(load_model(file)))["y"], run(ir.to_proto(model))["y"]
    )


def test_an_invalid_model_is_not_saved(file: Path) -> None:
    model = ir.from_proto(network())
    model.graph.insert_after(model.graph[0], ir.node("Relu", []))
    with pytest.raises(ModelError, match="no valid ONNX model"):
        save_model(model, file)
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is no ONNX model"),
        (b"a text about a model\n" * 9, "is no ONNX model"),
        (np.random.default_rng(0).bytes(4000), "is no ONNX model"),
        (b"\x1c\0\0\0TFL3" + bytes(300), "is a TensorFlow Lite file"),
        # Valid protobuf of something else: one field of text.
        (b"\x0a\x03abc", "is no ONNX model"),
    ],
    ids=["empty", "text", "random", "tflite", "another message"],
)
def test_another_file_is_refused(content: bytes, found: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(ModelError) as error:
        load_model(file)
    assert error.value.found == f"{file} {found}"
    assert error.value.remedy


def test_a_missing_file_is_refused(file: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_model(file)
    assert error.value.found == f"{file} cannot be read: No such file or directory"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: it is a folder"):
        load_model(tmp_path)


def test_missing_external_data_are_refused(file: Path) -> None:
    onnx.save(network(), file, save_as_external_data=True, location="weights", size_threshold=0)
    (file.parent / "weights").unlink()
    with pytest.raises(ModelError) as error:
        load_model(file)
    assert error.value.found.startswith(f"the external data of {file} cannot be read: ")
    assert "weights" in error.value.found
    assert error.value.remedy == "copy them there, or export the model into one file"


def changed(change: Callable[[ModelProto], object], **more: object) -> ModelProto:
    model = network(**more)
    change(model)
    return model


def quantise(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1), "s"))
    model.graph.node.append(node("QuantizeLinear", ["y", "s"], ["q"], name="quantise"))


def add_custom(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("mmdeploy", 1))
    model.graph.node.append(node("Mark", ["y"], ["z"], name="head", domain="mmdeploy"))


REFUSED = {
    "dynamic size": (
        network((1, 2, "H", "W")),
        None,
        "x has the dynamic shape [1,2,H,W]",
        "a static shape",
    ),
    "dynamic width": (
        network((1, 2, 7, "W")),
        None,
        "x has the dynamic shape [1,2,7,W]",
        "a static shape",
    ),
    "another width": (
        network((1, 2, "H", 8)),
        (9, 7),
        "x has the static shape [1,2,H,8], --input-size is 9 7",
        "an input size of 8 any (width, height)",
    ),
    "height and width swapped": (
        network(),
        (7, 8),
        "x has the static shape [1,2,7,8], --input-size is 7 8",
        "an input size of 8 7 (width, height)",
    ),
    "a size of nothing": (
        network((1, 2, "H", "W")),
        (0, 4),
        "--input-size 0 4",
        "two positive numbers",
    ),
    "quantised": (changed(quantise), None, "is quantised: QuantizeLinear quantise", "float32"),
    "custom": (
        changed(add_custom),
        None,
        "has an operator of the domain mmdeploy: Mark head",
        "operators of the ONNX standard",
    ),
    "invalid": (
        changed(lambda model: model.graph.node[0].ClearField("output")),
        None,
        "is no valid ONNX model: ",
        "onnx.checker",
    ),
    "opset 6": (network(opset=6), None, "the model has opset 6", "opset 7 to 23"),
    "opset 24": (network(opset=24), None, "the model has opset 24", "opset 7 to 23"),
}


@pytest.mark.parametrize(("model", "size", "found", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(
    model: ModelProto, size: tuple[int, int] | None, found: str, expected: str, file: Path
) -> None:
    with pytest.raises(ModelError) as error:
        load_model(write(model, file), size)
    assert found in error.value.found
    assert error.value.expected.startswith(expected) or expected in error.value.expected
    assert error.value.remedy or "--input-size" in error.value.found


def end_with_custom(model: ModelProto) -> None:
    add_custom(model)
    model.graph.output[0].name = "z"


def test_a_cut_network_ends_at_the_named_values_and_has_nothing_behind_them(file: Path) -> None:
    with pytest.raises(ModelError, match="Mark head") as error:
        load_model(write(changed(end_with_custom), file))
    assert error.value.remedy.startswith("cut the network before it: --cut y ")
    loaded = load_model(file, cut=["y"])
    assert [value.name for value in loaded.graph.outputs] == ["y"]
    assert [each.op_type for each in loaded.graph] == ["Conv"]


def test_a_cut_at_no_value_of_the_network_names_those_of_like_names(file: Path) -> None:
    with pytest.raises(ModelError, match="--cut Y") as error:
        load_model(write(network(), file), cut=["Y"])
    assert error.value.expected.endswith("computes, such as y")
