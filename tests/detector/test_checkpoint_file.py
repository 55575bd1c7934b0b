"""A checkpoint of any origin is read without running its code or believing its sizes."""

import collections
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmdet2tflite.detector.checkpoint_file import load_checkpoint
from mmdet2tflite.errors import ModelError

WEIGHTS = {"w": torch.arange(6.0).reshape(2, 3)}
META = {"epoch": 7, "dataset_meta": {"classes": ("cat", "dog")}}


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def repacked(content: bytes, change: Callable[[str, bytes], bytes], compression: int = 0) -> bytes:
    """The archive of ``torch.save`` with other entries."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", compression) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file.getvalue()


def calling(module: str, name: str, argument: int) -> bytes:
    """A checkpoint whose pickle calls ``module.name(argument)``."""
    call = f"c{module}\n{name}\n(".encode() + b"\x8a\x08" + struct.pack("<q", argument) + b"tR."
    good = saved({"state_dict": WEIGHTS})
    return repacked(good, lambda name, data: b"\x80\x02" + call if "data.pkl" in name else data)


class Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def test_weights_epoch_and_classes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(saved({"state_dict": WEIGHTS, "meta": META}))
    found = load_checkpoint(path)
    assert torch.equal(found.state_dict["w"], WEIGHTS["w"])
    assert (found.epoch, found.classes) == (7, ("cat", "dog"))


@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_without_meta_is_read(legacy: bool, tmp_path: Path) -> None:
    content = {"state_dict": collections.OrderedDict(WEIGHTS)}
    (tmp_path / "w.pth").write_bytes(saved(content, _use_new_zipfile_serialization=not legacy))
    found = load_checkpoint(tmp_path / "w.pth")
    assert (list(found.state_dict), found.epoch, found.classes) == (["w"], 0, None)


def meta(**changes: Any) -> bytes:
    return saved({"state_dict": WEIGHTS, "meta": META | changes})


GOOD = saved({"state_dict": {"w": torch.zeros(100_000)}})
LEGACY = saved({"state_dict": WEIGHTS}, _use_new_zipfile_serialization=False)
WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no readable checkpoint"),
    "text": (b"version https://git-lfs.github.com/spec/v1\n", "holds more|no readable"),
    "zeros": (bytes(10_000), "holds more|no readable"),
    "a truncated archive": (GOOD[:-3000], "no readable checkpoint|holds more"),
    "half an archive": (GOOD[: len(GOOD) // 2], "no readable checkpoint|holds more"),
    "a truncated legacy file": (LEGACY[:-10], "no readable checkpoint"),
    "an ordinary archive": (
        repacked(GOOD, lambda name, data: b"")[:-1],
        "no readable checkpoint|holds more",
    ),
    "a list": (saved([WEIGHTS]), "a list without a dict"),
    "a tensor": (saved(WEIGHTS["w"]), "a Tensor without a dict"),
    "no state_dict": (saved({"model": WEIGHTS}), "a dict without a dict `state_dict`"),
    "a list of weights": (saved({"state_dict": [1]}), "without a dict `state_dict`"),
    "a number among the weights": (saved({"state_dict": {"w": 1}}), "'w' in its state_dict is a"),
    "a number as a name": (saved({"state_dict": {1: WEIGHTS["w"]}}), "1 in its state_dict"),
    "a sparse weight": (saved({"state_dict": {"w": torch.eye(2).to_sparse()}}), "no ordinary"),
    "a weight without content": (
        saved({"state_dict": {"w": torch.empty(10**6, 10**6, device="meta")}}),
        "no ordinary tensor",
    ),
    "a weight larger than its content": (
        saved({"state_dict": {"w": torch.zeros(1).expand(10**6, 10**6)}}),
        "fewer elements in the file",
    ),
    "code": (saved({"state_dict": WEIGHTS, "x": Runs()}), "holds more than weights"),
    "code without an archive": (pickle.dumps(Runs()), "holds more than weights|no readable"),
    "meta 7": (saved({"state_dict": WEIGHTS, "meta": 7}), "its meta is a int"),
    "dataset_meta 7": (meta(dataset_meta=7), "its dataset_meta is a int"),
    "classes 7": (meta(dataset_meta={"classes": 7}), "no list of names"),
    "classes 'cat'": (meta(dataset_meta={"classes": "cat"}), "no list of names"),
    "classes [1]": (meta(dataset_meta={"classes": [1]}), "no list of names"),
    "epoch 'last'": (meta(epoch="last"), "its epoch is a str"),
    "a bomb": (
        repacked(GOOD, lambda name, data: data + bytes(10**7), zipfile.ZIP_DEFLATED),
        "an archive of [0-9,]+ bytes that unpacks to",
    ),
    "a call for 100 GB": (calling("builtins", "bytearray", 10**11), "GB of memory|holds more"),
    "a set of a number": (calling("builtins", "set", 7), "no readable|holds more"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_file_is_refused_in_a_few_lines(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, found = WRONG[name]
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=found) as error:
        load_checkpoint(tmp_path / "w.pth")
    assert "\n" not in error.value.found
    assert not (tmp_path / "ran").exists()


def test_a_file_with_changed_bytes_is_refused_or_read(tmp_path: Path) -> None:
    good = saved({"state_dict": WEIGHTS, "meta": META})
    random, path = np.random.default_rng(0), tmp_path / "w.pth"
    for _ in range(100):
        content = bytearray(good)
        for place in random.integers(0, len(good), 4):
            content[place] = random.integers(256)
        path.write_bytes(content)
        with suppress(ModelError):
            load_checkpoint(path)


def test_a_pipe_and_a_folder_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ModelError, match="cannot be read: it is a"):
            load_checkpoint(tmp_path / name)
