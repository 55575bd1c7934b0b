"""Outputs without names are known by their values."""

import numpy as np
import pytest

from mmdet2tflite.convert.identify import identify_outputs
from mmdet2tflite.errors import ModelError

RANDOM = np.random.default_rng(5)


def maps(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def nhwc(values: np.ndarray) -> np.ndarray:
    return values.transpose(0, 2, 3, 1) + np.float32(1e-6)


def test_outputs_of_one_shape_are_told_apart_by_their_values_in_any_order():
    expected = {"cls": maps(1, 2, 4, 6), "box": maps(1, 2, 4, 6), "obj": maps(1, 1, 4, 6)}
    found = {"a": nhwc(expected["obj"]), "b": nhwc(expected["box"]), "c": nhwc(expected["cls"])}
    assert identify_outputs(expected, found) == {"cls": "c", "box": "b", "obj": "a"}


def test_a_single_output_of_its_shape_is_taken_however_wrong_its_values_are():
    expected = {"cls": maps(1, 2, 4, 6), "scores": maps(1, 7)}
    found = {"a": maps(1, 7), "b": maps(1, 4, 6, 2)}
    assert identify_outputs(expected, found) == {"cls": "b", "scores": "a"}


def test_a_map_may_have_kept_the_layout_of_the_onnx():
    expected = {name: maps(1, 4, 4, 4) for name in "abcdef"}
    found = {name.upper(): values.copy() for name, values in reversed(expected.items())}
    found["A"] = nhwc(expected["a"])
    assert identify_outputs(expected, found) == {name: name.upper() for name in expected}


def test_equal_outputs_cannot_be_told_apart():
    same = maps(1, 2, 4, 6)
    found = {"a": nhwc(same), "b": nhwc(same)}
    with pytest.raises(ModelError, match="cls and box cannot be told apart"):
        identify_outputs({"cls": same, "box": same}, found)


def test_a_missing_output_is_named_with_its_shape():
    found = {"a": maps(1, 3, 4, 6)}
    with pytest.raises(ModelError, match=r"can be cls \[1, 2, 4, 6\]: a \[1, 3, 4, 6\]"):
        identify_outputs({"cls": maps(1, 2, 4, 6)}, found)
