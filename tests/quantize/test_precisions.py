"""How recipes address operators."""

import re

import pytest

from mmdet2tflite.quantize.precisions import writers


@pytest.mark.parametrize("name", ["a/conv", "a.b", "x(1)+y", "[0]*", "a|b", "a\\d", "$^"])
def test_an_operator_is_addressed_by_the_exact_name_of_what_it_writes(name):
    assert re.search(writers(["first", name]), f"{name};")


@pytest.mark.parametrize("other", ["axb", "a.bc", "0a.b", "x", "second;a.b"])
def test_no_other_operator_is_meant(other):
    assert not re.search(writers(["a.b", "first"]), f"{other};")


def test_no_name_means_no_operator():
    assert not re.search(writers([]), "a;")
