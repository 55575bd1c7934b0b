"""``mmdet2tflite convert`` with the real converter: networks of the usual kinds, start to end.

Every file is run here once more, by LiteRT alone, against ONNX Runtime on the ONNX as exported.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from mmdet2tflite.tflite.census import PADS, tflite_ops
from tests.toolchain.usual_networks import NETWORKS, Network

pytestmark = pytest.mark.toolchain

TOLERANCE = 1e-5
"""Of an output's range: some tens of float32's steps, summed in another order."""
WIDTH, HEIGHT = 96, 64
RESULTS = ["converter.log", "parity.json", "passport.json", "plan.json", "reproduce.sh"]

CASES = {
    # network, strategy: what is written, PADs
    ("classifier", "mirror"): ("mirror", 0),
    # The max pooling cannot be widened.
    ("classifier", "widen"): ("widen", 1),
    # Two pad channels for a shortcut; of four strided convolutions none is SAME on an even size.
    ("face_detector", "explicit"): ("explicit", 2 + 4),
    ("face_detector", "auto"): ("widen", 2),
    ("text_detector", "mirror"): ("mirror", 0),
    # On 25 x 32 the rows of the first depthwise layer are SAME, the columns are not.
    ("mobile_classifier", "widen"): ("widen", 0),
    ("yolox", "auto"): ("mirror", 0),
}


def start(model: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mmdet2tflite.cli", "convert", model, "--out", out, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary(out))},
    )


def temporary(out: Path) -> Path:
    """The temporary folder of the conversions into ``out``, which they must leave empty."""
    folder = out.parent / f"temporary_{out.name}"
    folder.mkdir(exist_ok=True)
    return folder


def fails(model: Path, out: Path, *options: str) -> str:
    process = start(model, out, *options)
    printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 2, complaints
    assert "Traceback" not in complaints.replace("    | Traceback", "")  # in a tool's log it may be
    assert printed == ""
    assert not out.exists()
    return complaints


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return printed, complaints


def write(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    NETWORKS[name](str(path))
    return path


def run_onnx(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"image": image}), strict=True))


def run_tflite(path: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """Maps turned to NCHW where the passport says that they are NHWC."""
    layouts = {
        output["name"]: output["layout"]
        for output in json.loads((path.parent / "passport.json").read_text())["outputs"]
    }
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], image.transpose(0, 2, 3, 1))
    interpreter.invoke()
    found = {}
    for detail in interpreter.get_output_details():
        value = interpreter.get_tensor(detail["index"])
        is_nhwc = value.ndim == 4 and layouts[detail["name"]] == "nhwc"
        found[detail["name"]] = value.transpose(0, 3, 1, 2) if is_nhwc else value
    return found


def noise(model: Path) -> np.ndarray:
    shape = onnxruntime.InferenceSession(model).get_inputs()[0].shape
    sides = (1, 3, HEIGHT, WIDTH)
    known = [s if isinstance(s, int) else side for s, side in zip(shape, sides, strict=True)]
    return np.random.default_rng(99).standard_normal(known).astype(np.float32)


def assert_equal(file: Path, model: Path) -> None:
    image = noise(model)
    wanted, found = run_onnx(model, image), run_tflite(file, image)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        assert np.abs(found[name] - value).max() <= TOLERANCE * np.ptp(value), name


@pytest.mark.parametrize(("network", "padding"), CASES)
def test_the_file_computes_what_the_onnx_computes_with_the_pads_that_were_planned(
    network: str, padding: str, tmp_path: Path
) -> None:
    model, out = write(network, tmp_path / "models"), tmp_path / "out"
    size = ["--input-size", str(WIDTH), str(HEIGHT)] if network == "text_detector" else []
    printed, _ = finish(start(model, out, "--padding", padding, *size))
    strategy, pads = CASES[network, padding]
    file = out / f"{network}.tflite"
    assert sorted(path.name for path in out.iterdir()) == sorted([file.name, *RESULTS])
    assert not any(temporary(out).iterdir())
    assert_equal(file, model)
    ops = tflite_ops(file)
    assert sum(ops[name] for name in PADS) == pads
    assert f"{strategy} by onnx2tf, " in printed
    assert f"{pads} PAD" in printed
    parity = json.loads((out / "parity.json").read_text())
    assert 0 < parity["metrics"]["check.relative"] <= TOLERANCE
    assert json.loads((out / "plan.json").read_text())["strategy"] == strategy


# --- folders -------------------------------------------------------------------------------------


def test_a_script_makes_the_same_bytes_again_whatever_the_folders_are_called(
    tmp_path: Path,
) -> None:
    model = write("yolox", tmp_path / "Größe 1")
    model.parent.chmod(0o555)
    out = tmp_path / "Ergebnis für Köln"
    finish(start(model, out, "--padding", "mirror"))
    file = out / "yolox.tflite"
    first = file.read_bytes()
    (out / "mine.txt").write_text("stays")
    file.unlink()
    folder = Path(sys.executable).parent  # where the command is installed
    subprocess.run(
        [out / "reproduce.sh"],
        check=True,
        capture_output=True,
        cwd="/",
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert file.read_bytes() == first
    assert (out / "mine.txt").read_text() == "stays"


def test_two_conversions_at_once_into_one_folder_leave_complete_files(tmp_path: Path) -> None:
    model, out = write("mobile_classifier", tmp_path / "models"), tmp_path / "out"
    for process in [start(model, out, "--padding", p) for p in ("mirror", "explicit")]:
        finish(process)
    file = out / "mobile_classifier.tflite"
    assert sorted(path.name for path in out.iterdir()) == sorted([file.name, *RESULTS])
    assert_equal(file, model)


# --- what does not end well ----------------------------------------------------------------------


def test_ctrl_c_ends_the_converter_and_leaves_nothing(tmp_path: Path) -> None:
    model, out = write("yolox", tmp_path / "models"), tmp_path / "out"
    process = start(model, out)
    deadline = time.monotonic() + 60
    while not (logs := list(temporary(out).glob("*/0/converter.log"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints.startswith("interrupted")
    assert len(complaints.splitlines()) == 1
    assert not out.exists()
    assert not logs[0].exists()
    assert not any(temporary(out).iterdir())
    assert not children_with(str(logs[0].parent))


def children_with(word: str) -> list[str]:
    """Command lines of this machine's processes that name ``word``."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:  # it ended meanwhile
            continue
        if word in line:
            lines.append(line)
    return lines


def network_with(path: Path, op: str, *operands: str, **attributes: object) -> Path:
    """A convolution, and behind it one operator that is to fail."""
    net = Network()
    boxes = net.constant([[0, 0, 8, 8]]), net.constant([0], np.int64)
    given = {"boxes": boxes[0], "batch": boxes[1]}
    value = net.node(op, net.conv("image", 3, 8, 3), *(given[o] for o in operands), **attributes)
    shape = {"Det": [1, 8], "RoiAlign": [1, 8, 3, 3], "MaxPool": [1, 8, 12, 12]}[op]
    net.name(value, "out")
    net.save(str(path), [1, 3, 16, 16], 16, out=shape)
    return path


def test_an_operator_that_becomes_a_custom_one_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    message = fails(network_with(tmp_path / "det.onnx", "Det"), out)
    assert message.startswith("Model: the converter does not know ONNX_DET")
    assert not any(temporary(out).iterdir())


def test_an_operator_that_the_converter_gets_wrong_fails_the_parity_check(tmp_path: Path) -> None:
    model = network_with(
        tmp_path / "roi.onnx", "RoiAlign", "boxes", "batch", output_height=3, output_width=3
    )
    out = tmp_path / "out"
    message = fails(model, out, "--converter", "onnx2tf")
    assert message.startswith("Parity: roi.tflite against the ONNX: 1 of 1 outputs differ, out by ")
    assert not any(temporary(out).iterdir())


def test_a_converter_that_fails_leaves_the_log_that_the_message_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken" / "onnx2tf"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise NotImplementedError('dilations of Conv_7')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    model, out = write("yolox", tmp_path / "models"), tmp_path / "out"
    message = fails(model, out, "--converter", "onnx2tf", "--padding", "widen")
    assert message.startswith("Tool failed: onnx2tf ")
    (folder,) = (each / "0" for each in temporary(out).iterdir())
    assert f"read {folder}/converter.log, or run it again by hand: " in message
    assert "dilations of Conv_7" in (folder / "converter.log").read_text()
    assert (folder / "converter.reproduce.sh").exists()


def test_other_precisions_stand_beside_the_float32_file_each_with_its_losses(
    tmp_path: Path,
) -> None:
    model, out = write("mobile_classifier", tmp_path / "models"), tmp_path / "out"
    samples = tmp_path / "samples.npy"
    np.save(samples, np.concatenate([noise(model) for _ in range(4)]))
    options = ["--precision", "int8", "--precision", "float16", "--calibration", str(samples)]
    printed, _ = finish(start(model, out, *options))
    told = json.loads((out / "parity.json").read_text())["precisions"]
    assert list(told) == ["int8", "float16"]
    image = noise(model)
    (wanted,) = run_onnx(model, image).values()
    for name, least in (("int8", 15), ("float16", 40)):
        (found,) = run_tflite(out / f"mobile_classifier_{name}.tflite", image).values()
        snr = 10 * np.log10((wanted**2).sum() / ((found - wanted) ** 2).sum())
        assert snr > least
        (claimed,) = (v for k, v in told[name]["metrics"].items() if k.startswith("check.snr_db."))
        assert claimed == pytest.approx(snr, abs=6)  # the claim is the worst of four samples
        assert f"{name}: " in printed
    layers = json.loads((out / "mobile_classifier_int8_layers.json").read_text())["layers"]
    assert told["int8"]["losing"][0]["snr_db"] == min(layer["snr_db"] for layer in layers)
