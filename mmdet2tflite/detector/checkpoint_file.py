"""A ``.pth`` file of unknown origin, read without running code from it. Child processes only.

1. Of types other than tensors and plain values, only those of ``compat`` are known.
2. torch.save compresses nothing: an archive whose entries unpack to more than its own size is none.
3. Reading takes little more memory than the file has bytes, whatever sizes the file states.
4. Each tensor has all of its elements in the file.
"""

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import open_regular
from mmdet2tflite.processes.memory import growing_at_most

MOST_MEMORY, TIMES_FILE = 10**9, 3
"""Bytes that reading a file may take, and of those that it has."""


@dataclass(frozen=True)
class CheckpointFile:
    """What is used of a checkpoint. ``classes``: names, if the file has them."""

    state_dict: dict[str, torch.Tensor]
    epoch: int
    classes: tuple[str, ...] | None


def load_checkpoint(path: Path) -> CheckpointFile:
    """Read a checkpoint. Raises ModelError."""
    with open_regular(path, limit=None, error=ModelError) as file:
        size = file.seek(0, 2)
    _check_archive(path, size)
    with growing_at_most(MOST_MEMORY + TIMES_FILE * size, error=ModelError):
        checkpoint = _load(path)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise _unreadable(path, f"a {type(checkpoint).__name__} without a dict `state_dict`")
    state_dict = dict(checkpoint["state_dict"])
    for name, tensor in state_dict.items():
        _check_tensor(path, name, tensor)
    meta = _dict(path, checkpoint, "meta")
    dataset = _dict(path, meta, "dataset_meta")
    names, epoch = dataset.get("classes") or dataset.get("CLASSES"), meta.get("epoch") or 0
    if not isinstance(epoch, int):
        raise _unreadable(path, f"its epoch is a {type(epoch).__name__}")
    if names and (
        not isinstance(names, list | tuple) or any(not isinstance(name, str) for name in names)
    ):
        raise _unreadable(path, "its classes are no list of names")
    return CheckpointFile(state_dict, epoch, tuple(names) if names else None)


def _check_archive(path: Path, size: int) -> None:
    """Rule 2."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _unreadable(path, str(error)) from error
    if unpacked > size:
        raise _unreadable(path, f"an archive of {size:,} bytes that unpacks to {unpacked:,}")


def _load(path: Path) -> Any:
    """Rule 1."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than weights: {_first_line(error)}",
            "tensors and plain values only; anything else could run code when it is loaded",
            "save it again with torch.save({'state_dict': …, 'meta': …}) on a machine you trust",
        ) from error
    except Exception as error:  # what the unpickler calls may raise anything
        raise _unreadable(path, f"{type(error).__name__}: {_first_line(error)}") from error


def _check_tensor(path: Path, name: Any, tensor: Any) -> None:
    """Rule 4."""
    if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
        raise _unreadable(path, f"{name!r:.80} in its state_dict is a {type(tensor).__name__}")
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise _unreadable(path, f"{name:.80} is no ordinary tensor")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise _unreadable(
            path, f"{name:.80} has the shape {list(tensor.shape)}, and fewer elements in the file"
        )


def _dict(path: Path, values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise _unreadable(path, f"its {name} is a {type(found).__name__}")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]


def _unreadable(path: Path, how: str) -> ModelError:
    return ModelError(
        f"{path} is no readable checkpoint: {how}",
        "a file that torch.save wrote, with a `state_dict`, or a .onnx file",
        "check training.checkpoint; a download may be incomplete",
    )
