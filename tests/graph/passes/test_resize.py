"""Does a Resize become what LiteRT can compute, and only where it cannot compute it as it is?"""

from itertools import product

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.graph.edit import constant
from mmdet2tflite.graph.passes.resize import SpellOutResize
from mmdet2tflite.graph.resize_matrix import bilinear, nearest
from tests.graph.passes.tiny import IMAGE, Done, apply, assert_same, build, integers, node, run
from tests.tflite.tflite_writer import Writer, infer

ROUNDING = 32 * np.finfo(np.float32).eps
"""Positions of a map of 8 columns, and a sum of at most 8 products."""
SIZES = [(7, 8, 14, 16), (7, 8, 10, 12), (7, 8, 3, 4), (7, 8, 4, 5), (7, 8, 1, 1), (7, 8, 7, 20)]
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
EVERY_ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def resize(
    *,
    sizes: tuple[int, int] | None = None,
    scales: tuple[float, float] | None = None,
    roi: np.ndarray | None = None,
    opset: int = 19,
    **how: object,
) -> tuple[onnx.ModelProto, Done]:
    """A Resize of rows and columns before and after the pass."""
    constants = {} if roi is None else {"roi": roi.astype(np.float32)}
    names = ["x", "" if roi is None else "roi", "", ""]
    if sizes is not None:
        constants["sizes"], names[3] = np.array([*IMAGE[:2], *sizes], np.int64), "sizes"
    if scales is not None:
        constants["scales"], names[2] = np.array([1, 1, *scales], np.float32), "scales"
    while not names[-1]:
        names.pop()
    model = build([node("Resize", names, ["y"], name="r", **how)], constants, opset=opset)
    return model, apply(SpellOutResize, model)


@pytest.mark.parametrize("rounding", EVERY_ROUNDING)
@pytest.mark.parametrize("how", [*COORDINATES, "half_pixel_symmetric"])
def test_nearest_computes_the_same(how: str, rounding: str) -> None:
    attributes = {"coordinate_transformation_mode": how, "nearest_mode": rounding}
    for size in SIZES:
        model, done = resize(sizes=size[2:], mode="nearest", **attributes)
        assert set(done.ops) <= {"Resize", "Gather"}
        if done.ops == ["Resize"]:
            check_litertnearest(done, model)
        assert_same(model, done.model)


@pytest.mark.parametrize("scales", [(2, 2), (1.5, 2.5), (0.5, 0.5), (0.7, 1.3), (3, 1)])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("how", COORDINATES)
def test_interpolation_by_scales_computes_the_same(
    how: str, mode: str, scales: tuple[float, float]
) -> None:
    model, done = resize(scales=scales, mode=mode, coordinate_transformation_mode=how)
    assert_same(model, done.model, relative=ROUNDING)


@pytest.mark.parametrize("size", [size[2:] for size in SIZES], ids=str)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_interpolation_by_sizes_stays_where_the_sizes_say_all(
    mode: str, size: tuple[int, int]
) -> None:
    for how in COORDINATES:
        _, done = resize(sizes=size, mode=mode, coordinate_transformation_mode=how)
        # Of a single row, LiteRT reads the middle, and "pytorch_half_pixel" the first.
        first = how == "pytorch_half_pixel" and 1 in size and mode == "linear"
        assert done.ops == (["Gather", "Gather"] if first else ["Resize"]), how


def test_a_scale_that_is_no_ratio_of_the_sizes_becomes_matrices() -> None:
    # 8 columns · 0.5 = 4 is a ratio; 7 rows · 0.5 gives 3, whose ratio is 3/7.
    model, done = resize(scales=(0.5, 0.5), mode="linear")
    assert done.ops == ["MatMul", "MatMul"]
    assert done.sentences == ["wrote Resize r as MatMul along axis 2 and MatMul along axis 3"]
    rows = constant(next(each for each in done.model.graph if each.op_type == "MatMul").inputs[0])
    assert rows is not None
    # Output 0 of 3 is half way between inputs 0 and 1, and so on.
    assert rows.tolist() == [
        [0.5, 0.5, 0, 0, 0, 0, 0],
        [0, 0, 0.5, 0.5, 0, 0, 0],
        [0] * 4 + [0.5] * 2 + [0],
    ]
    assert_same(model, done.model, relative=ROUNDING)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("size", [(3, 4), (4, 3), (14, 4)], ids=str)
def test_antialiasing_is_what_pytorch_computes(size: tuple[int, int], mode: str) -> None:
    attributes = {"cubic_coeff_a": -0.5} if mode == "cubic" else {}
    how = {"mode": mode, "antialias": 1, "exclude_outside": 1, **attributes}
    _, done = resize(sizes=size, **how)
    assert done.ops == ["MatMul", "MatMul"]
    image = integers(*IMAGE)
    name = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(image), size, mode=name, antialias=True
    ).numpy()
    np.testing.assert_allclose(run(ir.to_proto(done.model), image)["y"], wanted, atol=2e-5)


def test_the_axis_that_leaves_less_comes_first() -> None:
    _, done = resize(sizes=(14, 4), mode="linear", antialias=1)
    assert done.sentences == ["wrote Resize r as MatMul along axis 3 and MatMul along axis 2"]


def test_a_crop_computes_the_same() -> None:
    roi = np.array([0, 0, 0.2, 0.1, 1, 1, 0.8, 0.9])
    how = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    for mode, kind in (("linear", "MatMul"), ("nearest", "Gather")):
        model, done = resize(sizes=(5, 6), roi=roi, mode=mode, **how)
        assert done.ops == [kind, kind]
        assert_same(model, done.model, relative=ROUNDING)


def test_what_an_extrapolation_value_fills_is_left() -> None:
    roi = np.array([0, 0, -0.5, 0, 1, 1, 1, 1.5])
    how = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}
    model, done = resize(sizes=(5, 6), roi=roi, extrapolation_value=3.0, **how)
    assert done.sentences == ["left Resize r as it is: it fills with an extrapolation value"]
    model, done = resize(sizes=(5, 6), roi=roi, **how)
    assert done.ops == ["MatMul", "MatMul"]
    assert_same(model, done.model, relative=ROUNDING)


@pytest.mark.parametrize(("mode", "left"), [("nearest", False), ("linear", True)])
def test_other_axes_are_gathered_but_not_interpolated(mode: str, left: bool) -> None:
    constants = {"sizes": np.array([1, 4, 7, 8])}
    model = build([node("Resize", ["x", "", "", "sizes"], ["y"], name="r", mode=mode)], constants)
    done = apply(SpellOutResize, model)
    assert done.ops == (["Resize"] if left else ["Gather"])
    assert_same(model, done.model)


def test_axes_that_are_named_are_understood() -> None:
    constants = {"scales": np.array([0.5], np.float32)}
    operator = node("Resize", ["x", "", "scales"], ["y"], axes=[2], mode="linear", name="r")
    model = build([operator], constants, opset=18)
    done = apply(SpellOutResize, model)
    assert done.sentences == ["wrote Resize r as MatMul along axis 2"]
    assert_same(model, done.model, relative=ROUNDING)


def check_litertnearest(done: Done, before: onnx.ModelProto) -> None:
    """LiteRT's kernel, on the sizes of a Resize that stayed, gives what ONNX Runtime gives."""
    how = done.one("Resize").attributes["coordinate_transformation_mode"].as_string()
    image = integers(*IMAGE)
    wanted = run(before, image)["y"]
    rows, columns = (
        nearest(count, size, how == "half_pixel")
        for count, size in zip(wanted.shape[2:], IMAGE[2:], strict=True)
    )
    np.testing.assert_array_equal(image[:, :, rows][..., columns], wanted)


def litert_matrix(kernel: str, how: str, size: int, count: int) -> np.ndarray:
    """Outputs by inputs along the columns, from LiteRT's kernel without XNNPACK."""
    writer = Writer()
    image = writer.tensor("image", (1, 1, size, size))
    sizes = writer.constant("sizes", np.array([1, count], np.int32))
    options = (
        schema.ResizeBilinearOptionsT()
        if kernel == "RESIZE_BILINEAR"
        else schema.ResizeNearestNeighborOptionsT()
    )
    options.alignCorners = how == "align_corners"
    options.halfPixelCenters = how == "half_pixel"
    output = writer.tensor("y", (1, 1, count, size))
    writer.operator(kernel, [image, sizes], output, options, version=3)
    model = writer.finish({"image": image}, {"y": output})
    # A channel for every input column, so that the channels of an output are its weights.
    return infer(model, np.eye(size, dtype=np.float32)[None, None], xnnpack=False)["y"][0, 0]


@pytest.mark.parametrize(
    ("kernel", "how"),
    [("RESIZE_NEAREST_NEIGHBOR", "asymmetric"), ("RESIZE_NEAREST_NEIGHBOR", "half_pixel")]
    + [("RESIZE_BILINEAR", how) for how in ("asymmetric", "half_pixel", "align_corners")],
)
def test_the_matrices_are_those_of_litert_kernels(kernel: str, how: str) -> None:
    for size, count in product((3, 7, 8), (2, 5, 7, 14, 16, 20)):
        found = litert_matrix(kernel, how, size, count)
        if kernel == "RESIZE_BILINEAR":
            wanted = bilinear(count, size, how)
        else:
            wanted = np.eye(size, dtype=np.float32)[nearest(count, size, how == "half_pixel")]
        np.testing.assert_allclose(found, wanted, atol=ROUNDING, err_msg=f"{size} to {count}")


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("sizes", [(3, 4), (1, 5)])
def test_scales_that_are_no_ratio_of_the_sizes_become_sizes_where_the_positions_agree(
    mode: str, sizes: tuple[int, int]
) -> None:
    """0.5 of 7 rows are 3, and onnx2tf makes 4 of them."""
    scales = tuple((size + 0.4) / side for size, side in zip(sizes, IMAGE[2:], strict=True))
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    model, done = resize(scales=scales, mode=mode, **how)
    assert_same(model, done.model, relative=ROUNDING)
    if done.ops == ["Resize"]:
        assert done.one("Resize").inputs[2] is None
        np.testing.assert_array_equal(constant(done.one("Resize").inputs[3]), (*IMAGE[:2], *sizes))


def test_half_of_an_odd_number_of_rows_is_written_as_sizes() -> None:
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    model, done = resize(scales=(0.5, 0.5), mode="nearest", **how)
    assert done.sentences == ["wrote the sizes of Resize r"]
    np.testing.assert_array_equal(constant(done.one("Resize").inputs[3]), (*IMAGE[:2], 3, 4))
    assert_same(model, done.model)
