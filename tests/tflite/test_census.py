import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.census import census_metrics, onnx_ops, tflite_ops

SHAPE = (1, 3, 4, 4)
LAYER = (np.ones((1, 3, 1, 1)), np.zeros(1))
LAYERS = {"cls_8": LAYER, "obj_8": LAYER}


def test_a_tflite_files_operators_are_counted_by_name(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, LAYERS, before=["PAD", "TRANSPOSE", "PAD"])
    assert tflite_ops(path) == {"PAD": 2, "TRANSPOSE": 1, "CONV_2D": 2}


def test_an_operator_whose_code_needs_more_than_one_byte_has_its_own_name(tmp_path, write_tflite):
    path = write_tflite(tmp_path / "m.tflite", SHAPE, {"cls_8": LAYER}, before=["GELU"])
    assert tflite_ops(path) == {"GELU": 1, "CONV_2D": 1}


def test_an_onnx_graphs_operators_are_counted_by_name(tmp_path, write_onnx):
    path = write_onnx(tmp_path / "m.onnx", SHAPE, LAYERS, before=["Pad", "Transpose", "Pad"])
    assert onnx_ops(path) == {"Pad": 2, "Transpose": 1, "Conv": 2}


def test_an_onnx_graphs_subgraphs_count_and_its_constants_do_not(tmp_path):
    def branch(name):
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
        nodes = [
            helper.make_node("Constant", [], [f"{name}.c"], value_floats=[1.0]),
            helper.make_node("Neg", [f"{name}.c"], [name]),
        ]
        return helper.make_graph(nodes, name, [], [value])

    choice = helper.make_node(
        "If", ["flag"], ["result"], then_branch=branch("yes"), else_branch=branch("no")
    )
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, [1])
    model = helper.make_model(helper.make_graph([choice], "tiny", [flag], [result]))
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "m.onnx")
    assert onnx_ops(tmp_path / "m.onnx") == {"If": 1, "Neg": 2}


def test_pads_and_transposes_of_every_kind_are_summed(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(bytes(2_500_000))
    ops = {"PAD": 1, "PADV2": 2, "MIRROR_PAD": 3, "Pad": 4, "TRANSPOSE": 5, "TRANSPOSE_CONV": 7}
    assert census_metrics(ops, path) == {"ops": 22, "pads": 10, "transposes": 5, "size_mb": 2.5}


@pytest.mark.parametrize("count", [tflite_ops, onnx_ops])
def test_a_file_of_another_kind_is_refused(tmp_path, count):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n, no model")
    with pytest.raises(ModelError, match=r"picture\.png is not a"):
        count(path)
