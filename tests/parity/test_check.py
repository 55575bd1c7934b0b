import numpy as np
import pytest

from mmdet2tflite.errors import ParityError
from mmdet2tflite.parity.check import check_parity, missed_outputs
from mmdet2tflite.parity.parity import TensorError

REFERENCE = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)  # range 2


def shifted(by: float) -> dict[str, np.ndarray]:
    return {"cls_8": REFERENCE, "obj_8": REFERENCE + np.float32(by)}


def test_an_error_within_the_tolerance_is_reported_as_metrics():
    metrics = check_parity(shifted(0), shifted(1e-4), 1e-4, "a against b")
    assert metrics["check.max_abs"] == pytest.approx(1e-4, rel=1e-2)
    assert metrics["check.relative"] == pytest.approx(1e-4 / 2, rel=1e-2)


def test_an_error_beyond_the_tolerance_names_the_worst_output_and_by_how_much():
    with pytest.raises(ParityError) as refusal:
        check_parity(shifted(0), shifted(0.01), 1e-4, "the file against the ONNX")
    assert refusal.value.found.startswith(
        "the file against the ONNX: 1 of 2 outputs differ, obj_8 by 0.01, 0.005 of its range"
    )
    assert refusal.value.expected == "at most 0.0001 of the range"


def test_a_nearly_constant_map_is_allowed_float32s_own_rounding_and_no_more():
    constant = np.full((1, 1, 8, 8), -4.6, np.float32)
    constant[..., 0] += np.float32(1e-5)  # the range: far less than rounding / tolerance
    step = np.spacing(np.float32(4.6))
    check_parity({"obj_8": constant}, {"obj_8": constant + step}, 1e-4, "a against b")
    with pytest.raises(ParityError):
        check_parity({"obj_8": constant}, {"obj_8": constant + 40 * step}, 1e-4, "a against b")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sides", [("both",), ("the first",), ("the second",)])
def test_numbers_that_are_not_finite_prove_nothing(broken: float, sides: tuple[str, ...]) -> None:
    """Whatever is compared with a NaN or an infinity is not larger."""
    hole = REFERENCE.copy()
    hole[0, 0, 3, 4] = broken
    first = REFERENCE if sides == ("the second",) else hole
    second = REFERENCE if sides == ("the first",) else hole
    with pytest.raises(ParityError, match=r"the output cls_8 of .* is not finite"):
        check_parity({"cls_8": first}, {"cls_8": second}, 1e-4, "a against b")
    noise = {"cls_8": TensorError(np.inf, np.inf, -200)}
    with pytest.raises(ParityError, match="is not finite"):
        check_parity({"cls_8": first}, {"cls_8": second}, 1e-4, "a against b", noise)
    assert missed_outputs({"cls_8": first}, {"cls_8": second}, 1e-4) == ["cls_8"]


def test_a_map_of_float16_is_allowed_its_own_rounding() -> None:
    half = REFERENCE.astype(np.float16)
    check_parity({"cls_8": half}, {"cls_8": half + np.float16(1e-3)}, 1e-4, "a against b")
    with pytest.raises(ParityError):
        check_parity({"cls_8": half}, {"cls_8": half + np.float16(0.05)}, 1e-4, "a against b")
