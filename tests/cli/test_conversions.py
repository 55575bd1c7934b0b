"""``mmdet2tflite convert`` with a converter of the test's own: what is kept, and what is said."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdet2tflite.convert.converters.converter import Converter, ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.errors import (
    ModelError,
    ParityError,
    StoreError,
)
from tests.cli.invoke import invoke

pytestmark = pytest.mark.usefixtures("temporary")

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
