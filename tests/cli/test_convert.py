"""``mmdet2tflite convert``: what it refuses before a converter runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from mmdet2tflite.cli.main import app
from mmdet2tflite.errors import (
    ConfigError,
    DataError,
    ModelError,
    UserError,
)
from tests.cli.invoke import invoke
from tests.toolchain.usual_networks import NETWORKS, Network

pytestmark = pytest.mark.usefixtures("temporary")

type Make = Callable[[Path], object]


def save(path: Path, net: Network, shape: tuple[int | str, ...] = (1, 3, 16, 16)) -> None:
    net.name(net.conv("image", int(shape[1]), 4, 3, 2), "maps")
    net.save(str(path), shape, 13, maps=["n", 4, "h", "w"])


def dynamic(path: Path) -> None:
    save(path, Network(), ("N", 3, "height", "width"))


def grey(path: Path) -> None:
    save(path, Network(), (1, 1, 16, 16))


def small(path: Path) -> None:
    save(path, Network())


def two_inputs(path: Path) -> None:
    small(path)
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("anchors", TensorProto.FLOAT, [4]))
    onnx.save(model, path)


def external_data_missing(path: Path) -> None:
    small(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w", size_threshold=0)
    path.with_name("w").unlink()


def custom_operator(path: Path) -> None:
    small(path)
    model = onnx.load(path)
    model.graph.node[0].domain = "mmdeploy"
    model.graph.node[0].op_type = "MMCVModulatedDeformConv2d"
    model.opset_import.append(helper.make_opsetid("mmdeploy", 1))
    onnx.save(model, path)


def must_reverse_inside(path: Path) -> None:
    """Boxes are flattened: their order must be upright."""
    NETWORKS["face_detector"](str(path))


def without_inputs(path: Path) -> None:
    small(path)
    model = onnx.load(path)
    image = np.zeros((1, 3, 16, 16), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(image, "image"))
    del model.graph.input[:]
    onnx.save(model, path)


def one_output_twice(path: Path) -> None:
    small(path)
    model = onnx.load(path)
    model.graph.output.append(model.graph.output[0])
    onnx.save(model, path)


def a_copy(path: Path) -> None:
    net = Network()
    net.name(net.node("Identity", "image"), "copy")
    net.save(str(path), (1, 3, 16, 16), 13, copy=(1, 3, 16, 16))


def text(path: Path) -> None:
    path.write_text("hello " * 100)


REFUSED: dict[str, tuple[Make, list[str], type[UserError], str]] = {
    "no file": (lambda path: None, [], ModelError, "cannot be read: No such file"),
    "a text file": (text, [], ModelError, "is no ONNX model"),
    "an open size": (dynamic, [], ModelError, "has the dynamic shape"),
    "another size": (small, ["--input-size", "32", "16"], ModelError, "has the static shape"),
    "missing weights": (external_data_missing, [], ModelError, "the external data of "),
    "another domain": (custom_operator, [], ModelError, "an operator of the domain mmdeploy"),
    "no inputs": (without_inputs, [], ModelError, "has no inputs"),
    "an output twice": (one_output_twice, [], ModelError, "has the output maps twice"),
    "a network that copies": (a_copy, [], ModelError, "computes nothing"),
    "a cut at an input": (small, ["--cut", "image"], ModelError, "--cut image"),
    "images for two inputs": (
        two_inputs,
        ["--calibration", "images"],
        ModelError,
        r"inputs image \[1, 3, 16, 16\], anchors \[4\]",
    ),
    "mean of two inputs": (two_inputs, ["--mean", "1", "1", "1"], ModelError, "2 inputs"),
    "a shape of no input": (
        small,
        ["--input-shape", "x=1,3,16,16"],
        ModelError,
        "--input-shape x",
    ),
    "integers without images": (
        small,
        ["--precision", "int8"],
        ConfigError,
        "--precision int8 without --calibration",
    ),
    "no precision": (small, ["--precision", "float17"], ConfigError, "--precision float17"),
    "inputs of another shape": (
        small,
        ["--calibration", "inputs.npy"],
        ModelError,
        r"inputs.npy has the shape \[2, 3, 8, 8\]",
    ),
    "no shape": (small, ["--input-shape", "image=1,three"], ConfigError, "--input-shape image"),
    "padding as TensorFlow": (
        small,
        ["--padding", "tf_train"],
        ModelError,
        "1 of 1 convolutions and poolings do not pad as TensorFlow's SAME does",
    ),
    "reversals inside": (
        must_reverse_inside,
        ["--padding", "mirror_rotated"],
        ModelError,
        "the graph must rotate maps back inside: ",
    ),
    "no images": (small, ["--calibration", "empty"], DataError, "empty holds no images"),
    "no folder": (small, ["--calibration", "nowhere"], DataError, "nowhere is no folder"),
    "images for grey": (
        grey,
        ["--calibration", "images"],
        ModelError,
        r"image \[1, 1, 16, 16\]",
    ),
    "no deviation": (small, ["--std", "1", "0", "1"], ConfigError, "--std"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_refused_before_anything_is_written(
    case: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, options, kind, found = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("images").mkdir()
    cv2.imwrite("images/1.png", np.zeros((16, 16, 3), np.uint8))
    np.save("inputs.npy", np.zeros((2, 3, 8, 8), np.float32))
    make(Path("model.onnx"))
    with pytest.raises(kind, match=f"{found}") as caught:
        invoke("convert", "model.onnx", "--out", "out", *options)
    assert caught.value.expected
    assert not Path("out").exists()
    assert not any(temporary.iterdir())


def test_a_file_in_the_place_of_the_folder_stays(tmp_path: Path) -> None:
    small(tmp_path / "model.onnx")
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        invoke("convert", tmp_path / "model.onnx", "--out", out)
    assert out.read_text() == "mine"


def test_an_unknown_strategy_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["convert", "m.onnx", "--out", "o", "--padding", "reflect"])
    assert result.exit_code == 2
    assert "reflect" in result.stderr
    assert "mirror_rotated" in result.stderr


def test_the_real_command_ends_with_status_2_and_no_traceback(tmp_path: Path) -> None:
    text(tmp_path / "model.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", "convert", "model.onnx", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 2
    assert done.stderr == (
        "Model: model.onnx is no ONNX model\n"
        "  expected: an ONNX model (protobuf)\n"
        "  to do:    export the network to ONNX\n"
    )
    assert done.stdout == ""
