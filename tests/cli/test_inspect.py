"""``mmdet2tflite inspect``: what it shows of a file, and its exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.report.inspection import inspect, print_inspection
from mmdet2tflite.runtime.passport import PASSPORT
from mmdet2tflite.tflite.flatbuffer import write_metadata, write_model
from mmdet2tflite.tflite.padding_flag import write_flags
from tests.report.golden import check_golden
from tests.tflite.tflite_writer import Writer


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", "inspect", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "COLUMNS": "160"},
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """PAD → convolution → TRANSPOSE → flagged SAME convolution → int8; a VALID one beside it."""
    writer = Writer()
    image = writer.tensor("image", (1, 8, 8, 1))
    pads = writer.constant("pads", np.array(((0, 0), (1, 1), (1, 1), (0, 0)), np.int32))
    padded = writer.operator(
        "PAD", [image, pads], writer.tensor("padded", (1, 10, 10, 1)), schema.PadOptionsT()
    )
    kernel = writer.constant("kernel", np.ones((1, 3, 3, 1), np.float32))
    bias = writer.constant("bias", np.zeros(1, np.float32))
    stem = writer.tensor("stem", (1, 4, 4, 1))
    writer.conv(padded, kernel, bias, stem, strides=(2, 2))
    axes = writer.constant("axes", np.array((0, 2, 1, 3), np.int32))
    turned = writer.operator(
        "TRANSPOSE",
        [stem, axes],
        writer.tensor("turned", (1, 4, 4, 1)),
        schema.TransposeOptionsT(),
    )
    dark = writer.tensor("dark", (1, 2, 2, 1))
    writer.conv(turned, kernel, bias, dark, strides=(2, 2), same=True)
    point = writer.constant("point", np.ones((1, 1, 1, 1), np.float32))
    writer.conv(turned, point, bias, writer.tensor("beside", (1, 2, 2, 1)), strides=(2, 2))
    box = writer.operator(
        "QUANTIZE",
        [dark],
        writer.tensor("box_[red]", (1, 2, 2, 1), np.int8, scale=0.25, zero_point=-4),
        schema.QuantizeOptionsT(),
    )
    tree = writer.finish({"picture": image}, {"box": box})
    write_flags(tree, {"dark": (1, 0, 1, 0)})
    write_metadata(tree, PASSPORT, b'{"version": 1, "strategy": "engine", "tools": {"x": "1"}}')
    write_model(tree, tmp_path / "m.tflite")
    return tmp_path / "m.tflite"


def test_json_holds_everything_in_one_object(model):
    done = command("m.tflite", "--json", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    check_golden("inspection.json", done.stdout)


def test_tables_show_the_same_to_a_person(model):
    done = command("m.tflite", cwd=model.parent)
    assert done.returncode == 0, done.stderr
    check_golden("inspection.txt", done.stdout)


def test_a_file_without_a_passport_says_so_and_has_no_empty_tables(tmp_path, write_tflite, capsys):
    kernel = np.ones((1, 3, 1, 1)), np.zeros(1)
    found = inspect(write_tflite(tmp_path / "m.tflite", (1, 3, 4, 4), {"map": kernel}))
    assert found.passport is None
    print_inspection(found)
    shown = capsys.readouterr().out
    assert "no passport" in shown
    assert "Padding operators" not in shown


def test_a_missing_file_is_a_message_and_status_2(tmp_path):
    done = command("m.tflite", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Model: m.tflite cannot be read: No such file")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PK\x03\x04 a zip archive", "is not a TFLite file"), (b"\x1c\0\0\0TFL3 cut", "is broken")],
    ids=["zip", "cut off"],
)
def test_a_file_of_another_kind_or_cut_off_is_refused(tmp_path, content, reason):
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        inspect(tmp_path / "m.tflite")


@pytest.mark.parametrize("content", [b"{", b"7"], ids=["no JSON", "no object"])
def test_a_passport_that_cannot_be_read_is_refused(tmp_path, content):
    writer = Writer()
    image = writer.tensor("image", (1, 2, 2, 1))
    tree = writer.finish({"picture": image}, {"same": image})
    write_metadata(tree, PASSPORT, content)
    write_model(tree, tmp_path / "m.tflite")
    with pytest.raises(ModelError, match=r"the passport of .*m\.tflite cannot be read"):
        inspect(tmp_path / "m.tflite")
