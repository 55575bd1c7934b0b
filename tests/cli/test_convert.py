"""``mmdet2tflite convert`` and ``plan``: what they refuse before a converter runs, and the plan."""

import errno
import json
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
from mmdet2tflite.convert.converters.converter import Converter, ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.errors import (
    ConfigError,
    DataError,
    ModelError,
    ParityError,
    StoreError,
    UserError,
)
from mmdet2tflite.standalone import convert_file as standalone
from tests.toolchain.usual_networks import NETWORKS, Network

type Make = Callable[[Path], object]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, which every conversion must leave empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(standalone.tempfile, "tempdir", str(folder))
    return folder


def invoke(*arguments: object) -> str:
    """What the command prints. Raises what it raises."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


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


# --- with a converter of the test's own ----------------------------------------------------------

WEIGHTS = np.random.default_rng(0).standard_normal((4, 3, 3, 3)), np.zeros(4)
SHAPE = (1, 3, 9, 8)
WRITTEN_BESIDE_THE_FILE = (
    "converter.log",
    "parity.json",
    "passport.json",
    "plan.json",
    "reproduce.sh",
)


@pytest.fixture
def model(tmp_path: Path, write_onnx: Callable[..., Path]) -> Path:
    return write_onnx(tmp_path / "tiny model.onnx", SHAPE, {"maps": WEIGHTS})


@pytest.fixture
def convert_to(
    monkeypatch: pytest.MonkeyPatch, write_tflite: Callable[..., Path]
) -> Callable[[tuple[np.ndarray, np.ndarray]], None]:
    """The converter writes a convolution with these weights and this bias, whatever it is given."""

    def use(layer: tuple[np.ndarray, np.ndarray]) -> None:
        def convert(source: Path, run: ToolRun) -> Path:
            run.work.mkdir()
            run.log.touch()
            return write_tflite(run.work / "converted.tflite", SHAPE, {"maps": layer})

        monkeypatch.setitem(CONVERTERS, "onnx2tf", Converter(convert, ("onnx2tf",)))

    return use


def test_results_stand_beside_what_was_in_the_folder_and_replace_earlier_ones(
    model: Path, convert_to: Callable[..., None], tmp_path: Path, temporary: Path
) -> None:
    convert_to(WEIGHTS)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").touch()
    (out / "plan.json").write_text("of an earlier run")
    printed = invoke("convert", model, "--out", out)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["mine", "tiny model.tflite", *WRITTEN_BESIDE_THE_FILE]
    )
    assert json.loads((out / "plan.json").read_text())["strategy"] == "explicit"
    assert printed.startswith(f"{out}/tiny model.tflite: explicit by onnx2tf, 0.00 MB, 0 PAD")
    assert not any(temporary.iterdir())


def test_a_file_that_computes_something_else_is_not_kept(
    model: Path, convert_to: Callable[..., None], tmp_path: Path, temporary: Path
) -> None:
    weights, bias = WEIGHTS
    convert_to((weights, bias + 0.01))
    with pytest.raises(ParityError, match=r"tiny model.tflite against the ONNX: .* maps by 0\.01"):
        invoke("convert", model, "--out", tmp_path / "out", "--converter", "onnx2tf")
    assert not (tmp_path / "out").exists()
    assert not any(temporary.iterdir())


def test_the_next_converter_is_tried_and_the_report_says_so(
    model: Path,
    convert_to: Callable[..., None],
    write_tflite: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    weights, bias = WEIGHTS
    convert_to((weights, bias + 0.01))

    def right(source: Path, run: ToolRun) -> Path:
        run.work.mkdir()
        run.log.touch()
        return write_tflite(run.work / "converted.tflite", SHAPE, {"maps": WEIGHTS})

    monkeypatch.setitem(CONVERTERS, "onnx2tf_tensorflow", Converter(right, ("onnx2tf",)))
    printed = invoke("convert", model, "--out", tmp_path / "out")
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["converter"] == "onnx2tf_tensorflow"
    (tried,) = plan["tried"]
    assert tried.startswith("explicit by onnx2tf: tiny model.tflite against the ONNX: 1 of 1")
    assert f"tried before: {tried}" in printed


def test_where_nothing_is_right_the_first_failure_is_shown_and_the_others_named(
    model: Path,
    convert_to: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    weights, bias = WEIGHTS
    convert_to((weights, bias + 0.01))
    for name in ("onnx2tf_tensorflow", "openvino"):
        monkeypatch.setitem(CONVERTERS, name, Converter(refuse, ("onnx2tf",)))
    with pytest.raises(ParityError, match=r"maps by 0\.01") as error:
        invoke("convert", model, "--out", tmp_path / "out")
    assert error.value.remedy.endswith(
        "tried too: explicit by onnx2tf_tensorflow: no operator of that kind; "
        "explicit by openvino: no operator of that kind"
    )


def refuse(source: Path, run: ToolRun) -> Path:
    raise ModelError("no operator of that kind", "another")


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(
    model: Path, convert_to: Callable[..., None], tmp_path: Path, temporary: Path
) -> None:
    convert_to(WEIGHTS)
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        invoke("convert", model, "--out", model / "below a file")
    assert not any(temporary.iterdir())


# --- plan ----------------------------------------------------------------------------------------


def test_the_plan_as_json_holds_what_the_tables_show(tmp_path: Path) -> None:
    file = tmp_path / "classifier.onnx"
    NETWORKS["classifier"](str(file))
    plan = json.loads(invoke("plan", file, "--json"))
    shown = invoke("plan", file, "--all")
    assert plan["recommended"] == "mirror"
    assert "recommended: --padding mirror" in shown
    assert plan["strategies"]["explicit"]["pads"] == 4
    assert plan["strategies"]["tf_train"]["refused"] in shown.replace("\n", " ")
    assert len(plan["sites"]) == 8
    for site in plan["sites"]:
        (row,) = (line for line in shown.splitlines() if f"{site['name']} " in line and "→" in line)
        kernel, stride, size, output = (
            "x".join(map(str, site[key])) for key in ("kernel", "stride", "input", "output")
        )
        assert f"{kernel}/{stride}" in row
        assert f"{size} → {output}" in row
    # A 1x1 kernel with stride 2 reads rows 0, 2, 4 …: SAME, but not when the map is reversed.
    shortcut = next(site for site in plan["sites"] if site["name"] == "/Conv_9")
    assert shortcut["same"]
    assert shortcut["strategies"]["mirror"]["zero_taps"] == [[1, 0], [1, 0]]


def test_without_all_the_plan_lists_what_some_strategy_must_change(tmp_path: Path) -> None:
    file = tmp_path / "classifier.onnx"
    NETWORKS["classifier"](str(file))
    shown = invoke("plan", file)
    assert "/Conv_9 " in shown
    assert "/Conv_7 " not in shown
    assert "2 more, SAME whatever is done: see --all" in shown


def test_a_full_disk_of_temporary_files_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporary: Path
) -> None:
    def fill(source: Path, run: ToolRun) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(CONVERTERS, "onnx2tf", Converter(fill, ("onnx2tf",)))
    with pytest.raises(StoreError, match=r"no space left on the disk of .*temporary"):
        invoke("convert", model, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not any(temporary.iterdir())
