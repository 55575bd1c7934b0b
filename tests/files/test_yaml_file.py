"""YAML of strangers: values as they stand there, or one line that says what is refused."""

from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet2tflite.files.yaml_file import read_yaml

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, r"line 5, column \d+: more than 50000 values, aliases counted"),
        (MERGES, "more than 50000 values"),
        ("&a [*a]", "an alias of what it is a part of"),
        ("*nobody", "undefined alias"),
        ("[" * 100_000, "more than 50 levels"),
        ("{a: " * 1000, "more than 50 levels"),
        ("- " * 1000, "more than 50 levels"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' twice"),
        ("x: !!python/object/apply:os.system [id]", r"the tag tag:yaml\.org,2002:python"),
        ("x: !mine 3", "the tag !mine"),
        ("!!int foo", "the tag"),
        ("9" * 5000, "more than 64 bits"),
        ("0x" + "f" * 5000, "more than 64 bits"),
        (":".join("1" * 50_000), "more than 64 bits"),
        (":".join("1" * 50_000) + ".5", "more than 100 digits"),
        ("2001-99-99", "a value that means nothing: month"),
        ('"a\\0b"', "a zero or half a character"),
        ('"\\ud800"', "a zero or half a character"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("? [a]\n: 1", "unhashable key"),
        (bytes(range(256)), "unacceptable character"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_in_a_line(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["a: &x {b: 1}\nc: {<<: *x, d: 2}\n", "[1, 1.5, yes, ~, 2001-01-01]", "", "x", "- 1\n- [2]"],
)
def test_plain_yaml_reads_as_ever(text):
    assert read_yaml(text) == yaml.safe_load(text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_what_yaml_writes_is_read_back(value):
    text = yaml.safe_dump(value)
    assert repr(read_yaml(text)) == repr(yaml.safe_load(text))


@given(st.text("a1:-[]{}&*!?|>'\"\\0#%@`,. \n\t<=~", max_size=40) | st.binary(max_size=40))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_anything_else_is_a_value_error(text):
    with suppress(ValueError):
        read_yaml(text)
