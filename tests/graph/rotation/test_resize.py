"""Which index maps of Resize are symmetric: asked of ONNX Runtime itself."""

import numpy as np
import pytest

from tests.graph.rotation.nets import Net, check, run

EVEN_MODES = ("half_pixel", "align_corners", "pytorch_half_pixel")
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SIZES = [
    (6, 12),
    (6, 18),
    (5, 10),
    (6, 3),
    (6, 2),
    (7, 4),
    (4, 10),
    (5, 5),
    (6, 1),
    (3, 7),
    (9, 12),
]


def resize(net: Net, x: str, count: int, by: str, **how: object) -> str:
    """Columns only, from their size to ``count``."""
    batch, channels, rows, columns = 1, 4, *net.shape[2:]
    if by == "sizes":
        sizes = np.array([batch, channels, rows, count], np.int64)
        return net.op("Resize", x, "", "", sizes, **how)
    scale = np.array([1, 1, 1, count / columns], np.float32)
    # A little more than the quotient, so that the product is not rounded down.
    scale[3] = np.nextafter(scale[3], np.float32(9)) if columns * scale[3] < count else scale[3]
    return net.op("Resize", x, "", scale, **how)


def is_symmetric(columns: int, count: int, by: str, **how: object) -> bool:
    """Whether ONNX Runtime's Resize commutes with a flips: of ramps, and of squares."""
    net = Net(1, 4, 2, columns)
    model = net.model(resize(net, "image", count, by, **how))
    ramp = np.arange(columns, dtype=np.float32)
    image = np.broadcast_to(np.stack([ramp, ramp**2])[None, None], (1, 4, 2, columns)).copy()
    (unrotated,), (rotated,) = (run(model, x).values() for x in (image, image[..., ::-1].copy()))
    return np.allclose(unrotated, rotated[..., ::-1], atol=1e-4)


def inner_flips(columns: int, count: int, by: str, **how: object) -> tuple[str, ...]:
    """Also checks that the numbers stay the same, whatever the rule answers."""
    net = Net(1, 2, 6, columns)
    model = net.model(resize(net, net.stem(), count, by, **how))
    return check(model, tolerance=1e-5).inner_flips


@pytest.mark.parametrize("by", ["scales", "sizes"])
@pytest.mark.parametrize("rounding", ROUNDING)
@pytest.mark.parametrize("how", [*EVEN_MODES, "asymmetric", "half_pixel_symmetric"])
def test_nearest_is_flipped_where_its_index_map_is_symmetric(
    how: str, rounding: str, by: str
) -> None:
    attributes = {"coordinate_transformation_mode": how, "nearest_mode": rounding}
    for columns, count in SIZES:
        expected = is_symmetric(columns, count, by, mode="nearest", **attributes)
        found = inner_flips(columns, count, by, mode="nearest", **attributes)
        assert expected or found, (columns, count)
        # Where float32 cannot hold the scale, ONNX Runtime may have been lucky.
        held = float(np.float32(count / columns)) * columns == count
        assert not (expected and held) or not found, (columns, count)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("how", [*EVEN_MODES, "asymmetric", "half_pixel_symmetric"])
def test_interpolation_is_flipped_exactly_where_it_is_symmetric(how: str, mode: str) -> None:
    for columns, count in SIZES:
        attributes = {"mode": mode, "coordinate_transformation_mode": how}
        expected = is_symmetric(columns, count, "sizes", **attributes)
        assert (not inner_flips(columns, count, "sizes", **attributes)) == expected, (
            columns,
            count,
        )


def test_an_uneven_axis_is_unflipped_and_the_other_stays_flipped() -> None:
    net = Net(1, 2, 6, 5)
    attributes = {"coordinate_transformation_mode": "asymmetric", "mode": "linear"}
    x = resize(net, net.stem(), 10, "sizes", **attributes)
    found = check(net.model(net.conv(x, 4, 2, (3, 3), pads=[1, 0, 0, 1])))
    before, _ = found.inner_flips
    assert before == (
        "v0, before Resize_1 (Resize), which reads its input unevenly (linear, asymmetric)"
    )
    height, width = found.windows["Conv_2"].axes
    assert ((height.begin, height.end), (width.begin, width.end)) == ((0, 1), (0, 1))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"mode": "linear", "antialias": 1}, "reads its input unevenly (linear, half_pixel)"),
        ({"keep_aspect_ratio_policy": "not_larger"}, "keeps the aspect ratio"),
    ],
)
def test_what_is_computed_unflipped(attributes: dict[str, object], reason: str) -> None:
    net = Net(1, 2, 6, 4)
    end = net.op("Resize", net.stem(), "", "", np.array([1, 4, 3, 2], np.int64), **attributes)
    assert check(net.model(end)).inner_flips == (f"v0, before Resize_1 (Resize), which {reason}",)


def test_scales_of_some_axes() -> None:
    net = Net(1, 2, 6, 5)
    scale = np.array([3, 2], np.float32)
    end = net.op("Resize", net.stem(), "", scale, axes=[3, 2], mode="linear")
    assert check(net.model(end), tolerance=1e-6).inner_flips == ()


def test_an_axis_without_a_scale_is_copied() -> None:
    net = Net(1, 2, 6, 5)
    end = net.op("Resize", net.stem(), "", np.array([3], np.float32), axes=[2], mode="linear")
    assert check(net.model(end), tolerance=1e-6).inner_flips == ()


def test_cropping_resize_reads_its_region_unflipped() -> None:
    net = Net(1, 2, 6, 5)
    region = np.array([0, 0, 0, 0.25, 1, 1, 1, 0.75], np.float32)
    sizes = np.array([1, 4, 6, 5], np.int64)
    how = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}
    model = net.model(net.op("Resize", net.stem(), region, "", sizes, **how))
    assert len(check(model, tolerance=1e-6).inner_flips) == 1


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_a_map_of_one_pixel_that_is_repeated_has_any_direction(mode: str) -> None:
    """As in DeepLab's image pooling: nothing is flipped to meet the rotated map."""
    net = Net(1, 2, 6, 5)
    x = net.stem()
    pooled = net.op("ReduceMax", x, np.array([2, 3]))
    wide = net.op("Resize", pooled, "", "", np.array([1, 4, 6, 5]), mode=mode)
    assert check(net.model(net.op("Concat", x, wide, axis=1))).inner_flips == ()
