"""Does the reference compute what PyTorch computes, where ONNX Runtime alone does not?"""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.rewriting import NOT_ROTATED
from mmdet2tflite.graph.verify import RewrittenRunner, open_reference
from tests.graph.passes.tiny import IMAGE, build, integers, node

ROUNDING = 1e-6


@pytest.mark.parametrize("opset", [11, 13, 17, 19, 21])
@pytest.mark.parametrize("channels", [3, 8, 16])
def test_a_pooling_that_counts_its_padding_in_ceil_mode(
    tmp_path: Path, channels: int, opset: int
) -> None:
    image = integers(1, channels, 8, 11)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    pool = node("AveragePool", ["x"], ["y"], ceil_mode=1, count_include_pad=1, **attributes)
    onnx.save(build([pool], image=image.shape, opset=opset), tmp_path / "model.onnx")
    found = open_reference(tmp_path / "model.onnx", threads=1).infer(image)["y"]
    wanted = torch.nn.functional.avg_pool2d(
        torch.from_numpy(image), 3, 2, 1, ceil_mode=True, count_include_pad=True
    )
    np.testing.assert_allclose(found, wanted.numpy(), atol=ROUNDING)


def test_an_old_resize_in_a_file_with_such_a_pooling_takes_its_values_from_where_it_did(
    tmp_path: Path,
) -> None:
    """Opset 10: output i is what is at i / 2; since opset 11 it would be (i + 1/2) / 2 - 1/2."""
    image = integers(1, 2, 5, 7)
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        node("Resize", ["x", "scales"], ["large"], mode="linear"),
        node("AveragePool", ["large"], ["y"], ceil_mode=1, count_include_pad=1, **pool),
    ]
    scales = {"scales": np.array([1, 1, 2, 2], np.float32)}
    onnx.save(build(nodes, scales, image=image.shape, opset=10), tmp_path / "model.onnx")
    rows, columns = (np.arange(2 * side) / 2 for side in image.shape[2:])
    large = np.apply_along_axis(lambda line: np.interp(rows, range(5), line), 2, image)
    large = np.apply_along_axis(lambda line: np.interp(columns, range(7), line), 3, large)
    wanted = torch.nn.functional.avg_pool2d(
        torch.from_numpy(large), 3, 2, 1, ceil_mode=True, count_include_pad=True
    )
    found = open_reference(tmp_path / "model.onnx", threads=1).infer(image)["y"]
    np.testing.assert_allclose(found, wanted.numpy(), atol=ROUNDING)


def test_pads_as_large_as_the_kernel_that_they_stand_before(tmp_path: Path) -> None:
    """ONNX Runtime fuses the two into a pooling that it refuses to load."""
    pads = np.array([0, 0, 2, 2, 0, 0, 2, 2], np.int64)
    nodes = [
        node("Pad", ["x", "pads"], ["padded"]),
        node("MaxPool", ["padded"], ["y"], kernel_shape=[2, 2]),
    ]
    proto, image = build(nodes, {"pads": pads}), np.abs(integers(*IMAGE))
    onnx.save(proto, tmp_path / "model.onnx")
    padded = torch.nn.functional.pad(torch.from_numpy(image), (2, 2, 2, 2))
    wanted = torch.nn.functional.max_pool2d(padded, 2, 1).numpy()
    found = open_reference(tmp_path / "model.onnx", threads=1).infer(image)["y"]
    np.testing.assert_array_equal(found, wanted)
    found = RewrittenRunner(ir.from_proto(proto), NOT_ROTATED).infer(image)["y"]
    np.testing.assert_array_equal(found, wanted)


def test_what_is_no_model_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\xff\xff")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        open_reference(tmp_path / "model.onnx", threads=1)
