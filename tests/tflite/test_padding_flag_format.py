"""The format of the padding flag: what is written, what is refused, what the loader needs."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import read_metadata, write_metadata, write_model
from mmdet2tflite.tflite.padding_flag import (
    FLAGS,
    open_flagged,
    put_pads_back,
    read_flags,
    write_flags,
)
from tests.tflite.flagged import (
    CASES,
    CHAIN_FLAGS,
    chain,
    nhwc,
    truth,
    written_same,
)
from tests.tflite.tflite_writer import Writer, infer


def test_flags_are_written_in_the_documented_format_and_read_back():
    model = chain()
    write_flags(model, CHAIN_FLAGS)
    assert json.loads(read_metadata(model, "mmdet2tflite.padding")) == {
        "version": 1,
        "operators": [
            {"subgraph": 0, "output": "second", "pads": [1, 1, 1, 1]},
            {"subgraph": 0, "output": "first", "pads": [1, 0, 1, 0]},
        ],
    }
    assert read_flags(model) == CHAIN_FLAGS


def test_pads_are_put_back_once_only():
    model = chain()
    write_flags(model, CHAIN_FLAGS)
    put_pads_back(model)
    assert read_flags(model) == {}
    operators = len(model.subgraphs[0].operators)
    put_pads_back(model)
    assert len(model.subgraphs[0].operators) == operators


@pytest.mark.parametrize("flagged", [True, False])
def test_the_loader_opens_a_file_with_and_without_flags(tmp_path, flagged):
    case = CASES["3x3, even"]
    model = written_same(case)
    expected = infer(model, nhwc(case.image))["map"]
    if flagged:
        write_flags(model, {"map": case.pads})
        expected = truth(case)
    write_model(model, tmp_path / "m.tflite")
    interpreter = open_flagged(str(tmp_path / "m.tflite"), num_threads=1)
    found = interpreter.get_signature_runner("serving_default")(picture=nhwc(case.image))
    np.testing.assert_array_equal(found["map"], expected)


REFUSED: dict[str, tuple[str, Any, str]] = {
    "unknown tensor": ("third", (1, 1, 1, 1), "0 operators write the tensor third"),
    "a tensor that no operator writes": ("image", (1, 1, 1, 1), "0 operators write"),
    "negative": ("first", (2, -1, 1, 1), "not a whole number of 0 or more"),
    "fraction": ("first", (1, 0.5, 1, 1), "not a whole number of 0 or more"),
    "too small for the output": ("first", (0, 0, 1, 1), "they give [3, 4], the file says [4, 4]"),
    "too large for the output": ("first", (1, 1, 1, 2), "they give [4, 5], the file says [4, 4]"),
}


@pytest.mark.parametrize(("name", "pads", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_flag_that_contradicts_the_file_is_neither_written_nor_read(name, pads, reason):
    model = chain()
    with pytest.raises(ModelError) as refusal:
        write_flags(model, {name: pads})
    assert reason in refusal.value.found
    assert read_metadata(model, FLAGS) is None
    entry = {"subgraph": 0, "output": name, "pads": list(pads)}
    write_metadata(model, FLAGS, json.dumps({"version": 1, "operators": [entry]}).encode())
    with pytest.raises(ModelError) as refusal:
        read_flags(model)
    assert reason in refusal.value.found


def test_an_operator_without_padding_or_written_valid_is_refused():
    writer = Writer()
    image = writer.tensor("image", (1, 4, 4, 1))
    kernel = writer.constant("weights", np.ones((1, 1, 1, 1), np.float32))
    bias = writer.constant("bias", np.zeros(1, np.float32))
    found = writer.conv(image, kernel, bias, writer.tensor("map", (1, 4, 4, 1)))
    positive = writer.operator("RELU", [found], writer.tensor("positive", (1, 4, 4, 1)))
    model = writer.finish({"picture": image}, {"map": positive})
    with pytest.raises(ModelError, match="of RELU positive: the operator is none of CONV_2D"):
        write_flags(model, {"positive": (0, 0, 0, 0)})
    with pytest.raises(ModelError, match="of CONV_2D map: the operator is written VALID"):
        write_flags(model, {"map": (0, 0, 0, 0)})


ENTRY = {"subgraph": 0, "output": "first", "pads": [1, 1, 1, 1]}
BROKEN: dict[str, tuple[Any, str]] = {
    "another version": ({"version": 2, "operators": []}, "version 2 of the entry"),
    "no version": ({"operators": []}, "cannot be read: KeyError('version')"),
    "a list": ([], "cannot be read: TypeError"),
    "three pads": (
        {"version": 1, "operators": [{**ENTRY, "pads": [1, 1, 1]}]},
        "cannot be read: ValueError",
    ),
    "another subgraph": ({"version": 1, "operators": [{**ENTRY, "subgraph": 1}]}, "subgraph 1"),
    "one operator twice": ({"version": 1, "operators": [ENTRY, ENTRY]}, "two entries"),
}


@pytest.mark.parametrize(("document", "reason"), BROKEN.values(), ids=BROKEN)
def test_an_entry_of_another_format_is_refused_and_not_ignored(document, reason):
    model = chain()
    write_metadata(model, FLAGS, json.dumps(document).encode())
    with pytest.raises(ModelError) as refusal:
        read_flags(model)
    assert reason in refusal.value.found


def test_bytes_that_are_no_json_are_refused():
    model = chain()
    write_metadata(model, FLAGS, b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        read_flags(model)


def test_the_loader_needs_numpy_flatbuffers_and_litert_and_nothing_else():
    program = """
import sys
before = set(sys.modules)
import mmdet2tflite.tflite.padding_flag
files = [getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before]
print(*{file.split("site-packages/")[1].split("/")[0] for file in files if "site-packages" in file})
"""
    done = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert set(done.split()) <= {"numpy", "flatbuffers", "ai_edge_litert"}
