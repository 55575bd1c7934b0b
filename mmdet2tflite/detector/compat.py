"""Every patch that the OpenMMLab packages need to run on today's PyTorch and ONNX.

Call ``prepare()`` before the first ``import mmdet`` and ``prepare_export()`` before mmdeploy
exports. No third-party file is edited: a patch sets an attribute or registers a name, is listed in
``COMPATIBILITY_PATCHES`` with its reason, and has a test that fails on the day it is not needed.

Only child processes import this module's heavy parts. ``python -m mmdet2tflite.detector.compat``
prints the state of every patch as JSON.
"""

import importlib.util
import inspect
import json
import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True)
class CompatibilityPatch:
    """One incompatibility between two packages and how it is bridged."""

    name: str
    package: str
    reason: str
    needed: Callable[[], bool]
    apply: Callable[[], None]
    for_export: bool = False


def prepare() -> None:
    """Apply the patches that training and inference need. Idempotent."""
    _apply(for_export=False)


def prepare_export() -> None:
    """Apply all patches, those that mmdeploy needs included. Idempotent."""
    _apply(for_export=False)
    _apply(for_export=True)


def _apply(*, for_export: bool) -> None:
    for patch in COMPATIBILITY_PATCHES:
        if patch.for_export == for_export and patch.needed():
            patch.apply()


# --- mmcv-lite has no compiled operators -----------------------------------------------------


def _no_compiled_operators() -> bool:
    return "mmcv._ext" not in sys.modules and importlib.util.find_spec("mmcv._ext") is None


class NoCompiledOperator(NotImplementedError):
    """A function of ``mmcv.ops`` was called that mmcv-lite does not have."""

    def __init__(self, operator: str) -> None:
        super().__init__(
            f"mmcv.ops.{operator} is a compiled operator and mmcv-lite has none; "
            "install the full mmcv 2.1.0 to use a model that needs it"
        )
        self.operator = operator


class _OperatorStandIn(types.ModuleType):
    """``mmcv._ext`` with the operators that these detectors call; the others refuse."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            raise NoCompiledOperator(name)

        return refuse


def _install_operators() -> None:
    # At module level, not inside ``nms``: a first import of torchvision under mmdeploy's tracing
    # context fails.
    import torch
    import torchvision

    from mmdet2tflite.detector.rotated.operators import ROTATED_OPERATORS

    def nms(
        boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int
    ) -> torch.Tensor:
        if offset:
            boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
        kept: torch.Tensor = torchvision.ops.nms(boxes, scores, iou_threshold)
        return kept

    module = _OperatorStandIn("mmcv._ext")
    vars(module).update({operator.__name__: operator for operator in (nms, *ROTATED_OPERATORS)})
    # find_spec() raises on a module without a spec.
    module.__spec__ = importlib.util.spec_from_loader("mmcv._ext", loader=None)
    sys.modules["mmcv._ext"] = module


# --- mmdet 3.3.0's SSD does not predict ---------------------------------------------------------


def _ssd_has_no_loss() -> bool:
    package = importlib.util.find_spec("mmdet")  # not imported: this is asked before the patches
    if package is None or package.origin is None:
        return False
    head = Path(package.origin).parent / "models" / "dense_heads" / "ssd_head.py"
    return "self.loss_cls =" not in head.read_text(encoding="utf-8")


def _give_ssd_no_loss() -> None:
    from mmdet.models.dense_heads import SSDHead

    SSDHead.loss_cls = None


# --- mmengine's checkpoints hold more than tensors -------------------------------------------


def _weights_only_is_default() -> bool:
    import torch

    return tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)


def _allow_checkpoint_types() -> None:
    """Name the harmless types; the loader still refuses every other, so it runs no code."""
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    def statistic(owner: type, name: str) -> Any:
        # A HistoryBuffer's state refers to its own methods as getattr(HistoryBuffer, "mean"). The
        # real getattr in a stranger's file would reach anything.
        if owner is HistoryBuffer and name in ("min", "max", "mean", "current"):
            return vars(HistoryBuffer)[name]
        raise pickle.UnpicklingError(f"the checkpoint asks for {name!r} of {owner!r}")

    reconstruct = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    dtypes = [type(np.dtype(name)) for name in ("f4", "f8", "i4", "i8", "u1", "?")]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            *dtypes,
            reconstruct,
            scalar,
            # the names under which numpy 1 wrote them
            (reconstruct, "numpy.core.multiarray._reconstruct"),
            (scalar, "numpy.core.multiarray.scalar"),
            (statistic, "builtins.getattr"),
        ]
    )


# --- mmdeploy needs the TorchScript exporter ---------------------------------------------------


def _dynamo_is_default() -> bool:
    import torch

    return inspect.signature(torch.onnx.export).parameters["dynamo"].default is not False


def _use_torchscript_exporter() -> None:
    import functools

    import torch

    torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)


# --- mmdeploy's graph extractor is written for onnx <= 1.16 -----------------------------------


def _extractor_has_changed() -> bool:
    import onnx.utils

    search = onnx.utils.Extractor._dfs_search_reachable_nodes
    return list(inspect.signature(search).parameters) != [
        "self",
        "node_output_name",
        "graph_input_nodes",
        "reachable_nodes",
    ]


def _use_plain_extractor() -> None:
    import mmdeploy.apis.onnx.partition as partition
    import mmdeploy.core.optimizers as optimizers
    import mmdeploy.core.optimizers.extractor as extractor
    import onnx.utils

    for module in (partition, optimizers, extractor):
        module.create_extractor = onnx.utils.Extractor


COMPATIBILITY_PATCHES: tuple[CompatibilityPatch, ...] = (
    CompatibilityPatch(
        "compiled-operators",
        "mmcv-lite",
        "mmcv-lite ships no mmcv._ext; nms is torchvision's, those for rotated boxes are ours, "
        "other operators refuse when called",
        _no_compiled_operators,
        _install_operators,
    ),
    CompatibilityPatch(
        "ssd-loss",
        "mmdet",
        "predict_by_feat of all dense heads asks for loss_cls, which SSDHead alone does not have",
        _ssd_has_no_loss,
        _give_ssd_no_loss,
    ),
    CompatibilityPatch(
        "safe-checkpoint-types",
        "mmengine",
        "torch >= 2.6 loads weights only; mmengine's HistoryBuffer and numpy scalars are allowed",
        _weights_only_is_default,
        _allow_checkpoint_types,
    ),
    CompatibilityPatch(
        "torchscript-exporter",
        "mmdeploy",
        "torch.onnx.export defaults to dynamo; mmdeploy's rewriters need the TorchScript tracer",
        _dynamo_is_default,
        _use_torchscript_exporter,
        for_export=True,
    ),
    CompatibilityPatch(
        "plain-extractor",
        "mmdeploy",
        "mmdeploy replaces a private method of onnx.utils.Extractor that changed after onnx 1.16",
        _extractor_has_changed,
        _use_plain_extractor,
        for_export=True,
    ),
)


def main() -> None:
    """Print name, package, version, reason and state of every patch as a JSON list."""
    states = [
        {
            "name": patch.name,
            "package": patch.package,
            "version": version(patch.package),
            "reason": patch.reason,
            "active": patch.needed(),
        }
        for patch in COMPATIBILITY_PATCHES
    ]
    print(json.dumps(states))


if __name__ == "__main__":
    main()
