"""TFLite files and passports that cannot be are refused; none ends the interpreter."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdet2tflite.convert.tflite_file import passport_json
from mmdet2tflite.errors import ModelError
from mmdet2tflite.report.inspection import inspect
from mmdet2tflite.runtime import Detector
from mmdet2tflite.runtime.passport import PASSPORT
from mmdet2tflite.tflite.flatbuffer import read_model, write_metadata, write_model
from tests.corner_network import passport, picture, write_detector

GOOD: dict[str, Any] = json.loads(passport_json(passport()))
OUTPUTS: list[dict[str, Any]] = GOOD["outputs"]


def head(**changes: Any) -> dict[str, Any]:
    return {"head": GOOD["head"] | changes}


def preprocessing(**changes: Any) -> dict[str, Any]:
    return {"preprocessing": GOOD["preprocessing"] | changes}


def first_output(**changes: Any) -> dict[str, Any]:
    return {"outputs": [OUTPUTS[0] | changes, *OUTPUTS[1:]]}


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "strides 0": head(strides=[0]),
    "strides -8": head(strides=[-8]),
    "strides (32, 32)": head(strides=[32, 32]),
    "strides '32'": head(strides="32"),
    "strides True": head(strides=[True]),
    "classes []": head(classes=[]),
    "classes 7": head(classes=[7]),
    "classes None": head(classes=None),
    "3 classes": head(classes=["a", "b", "c"]),
    "score_threshold -1": head(score_threshold=-1),
    "score_threshold 'high'": head(score_threshold="high"),
    "score_threshold nan": head(score_threshold=float("nan")),
    "nms_iou inf": head(nms_iou=float("inf")),
    "max_detections -1": head(max_detections=-1),
    "max_detections 10**30": head(max_detections=10**30),
    "max_candidates 0.5": head(max_candidates=0.5),
    "family 7": head(family=7),
    "family []": head(family=[]),
    "width 10**9": preprocessing(width=10**9),
    "width 0": preprocessing(width=0),
    "width 64.0": preprocessing(width=64.0),
    "height -32": preprocessing(height=-32),
    "says (1, 32, 96, 3)": preprocessing(width=96),
    "colour_order 'hsv'": preprocessing(colour_order="hsv"),
    "pad_value nan": preprocessing(pad_value=float("nan")),
    "mean (0, 0)": preprocessing(mean=[0, 0]),
    "std 0": preprocessing(std=[1, 0, 1]),
    "std (nan": preprocessing(std=[float("nan"), 1, 1]),
    "output twice": {"outputs": [*OUTPUTS, OUTPUTS[0]]},
    "no outputs": {"outputs": []},
    "output that is none": first_output(name="cls_8"),
    "output of another shape": first_output(shape=[1, 2, 1, 2]),
    "output without axes": first_output(shape=[]),
    "layout 'nchw'": first_output(layout="nchw"),
    "rotation of no output": {"rotation": {"input": True, "outputs": ["none"]}},
    "rotation 1": {"rotation": {"input": 1, "outputs": []}},
    "strategy 7": {"strategy": 7},
    "version []": {"version": []},
    "version 10**40": {"version": 10**40},
}


def with_passport(folder: Path, content: bytes) -> Path:
    path = write_detector(folder / "m.tflite")
    model = read_model(path)
    write_metadata(model, PASSPORT, content)
    write_model(model, path)
    return path


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_passport_with_an_impossible_value_is_refused(name: str, tmp_path: Path) -> None:
    path = with_passport(tmp_path, json.dumps(GOOD | IMPOSSIBLE[name]).encode())
    with pytest.raises(ModelError, match=r"m\.tflite") as error:
        Detector(path)
    assert len(error.value.found) < 500


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"version": 1, "head": ' + b'{"a":' * 100_000,
        b'{"version": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        json.dumps(GOOD | head(classes=["x" * 10**6] * 20)).encode(),
        json.dumps(GOOD | {"head": [[]] * 10**5}).encode(),
    ],
    ids=["deep list", "deep object", "long number", "no UTF-8", "20 MB", "a list"],
)
def test_a_passport_of_an_absurd_form_is_refused(content: bytes, tmp_path: Path) -> None:
    path = with_passport(tmp_path, content)
    with pytest.raises(ModelError, match=r"the passport of .*m\.tflite cannot be understood"):
        Detector(path)
    with suppress(ModelError):
        inspect(path)


def test_a_file_with_changed_bytes_is_refused_or_read(tmp_path: Path) -> None:
    good = write_detector(tmp_path / "good.tflite").read_bytes()
    weights = max(
        (bytes(b.data) for b in read_model(tmp_path / "good.tflite").buffers if b.data is not None),
        key=len,
    )
    start = good.index(weights)
    places = [n for n in range(len(good)) if not start <= n < start + len(weights)]
    random, path = np.random.default_rng(0), tmp_path / "m.tflite"
    for number in range(150):
        content = bytearray(good)
        for place in random.choice(places, 4):
            if number % 2:
                content[place] = random.integers(256)
            else:
                content[place // 4 * 4 : place // 4 * 4 + 4] = random.choice(
                    [b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\7\0\0\0"]
                )
        path.write_bytes(content)
        with suppress(ModelError):
            Detector(path)(picture())
        with suppress(ModelError):
            inspect(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    good = write_detector(tmp_path / "good.tflite").read_bytes()
    path = tmp_path / "m.tflite"
    for size in [0, 1, 4, 7, 8, 12, 60, *range(100, len(good), len(good) // 30)]:
        path.write_bytes(good[:size])
        with pytest.raises(ModelError):
            Detector(path)(picture())
        with pytest.raises(ModelError):
            inspect(path)


@pytest.mark.parametrize("command", ["detect", "inspect"])
@pytest.mark.parametrize("name", ["pipe", "folder", "/dev/zero", "sparse"])
def test_what_is_no_file_is_a_line_and_status_2(command: str, name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    rest = ["photo.png", "-o", "out"] if command == "detect" else []
    done = subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", command, name, *rest],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (2, 0)
    assert done.stderr.startswith(f"Model: {name} ")
