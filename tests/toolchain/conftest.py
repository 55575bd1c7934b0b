"""The real tools on a small network that this project trained itself (tests/golden)."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mmdet2tflite.artifacts import (
    Checkpoint,
    Dataset,
    OnnxModel,
    Report,
    RewrittenModel,
    TfliteModel,
)
from mmdet2tflite.config.dataset import DigitsData, RotatedDigitsData
from mmdet2tflite.config.experiment import Export
from mmdet2tflite.config.names import ConverterName, PaddingName
from mmdet2tflite.convert.convert import CONVERT, ConvertConfig
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.graph.rewrite import REWRITE, RewriteConfig
from mmdet2tflite.store.store import Store
from tests.toolchain.golden import EVALUATION, SIZE, TIMEOUT, TOLERANCE, golden_config

STRATEGIES: tuple[PaddingName, ...] = (
    "explicit",
    "force_same",
    "mirror",
    "mirror_rotated",
    "widen",
    "engine",
)


@dataclass(frozen=True)
class MainPath:
    """Every artefact from the golden checkpoint to the explicit TFLite file and their reports."""

    store: Store
    dataset: Dataset
    checkpoint: Checkpoint
    onnx: OnnxModel
    tflite: TfliteModel
    reports: dict[str, Report]


@dataclass(frozen=True)
class Variant:
    """One padding strategy: the graph, the file, and what was measured of it."""

    rewritten: RewrittenModel
    tflite: TfliteModel
    path: Path
    report: Report


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def digits(store: Store) -> Dataset:
    config = DigitsData(kind="digits", size=SIZE, train_images=16, val_images=24)
    return DATASET.build(store, config, timeout=TIMEOUT)


@pytest.fixture(scope="session")
def rotated_digits(store: Store) -> Dataset:
    config = RotatedDigitsData(kind="rotated_digits", size=SIZE, train_images=16, val_images=24)
    return DATASET.build(store, config, timeout=TIMEOUT)


@pytest.fixture(scope="session")
def main_path(store: Store, digits: Dataset) -> MainPath:
    checkpoint = TRAIN.build(store, golden_config(), timeout=TIMEOUT, dataset=digits)
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)
    tflite = convert(store, digits, onnx, "explicit")[1]
    reports: dict[str, Report] = {}
    source = None
    for name, model in (("pytorch", checkpoint), ("onnx", onnx), ("tflite", tflite)):
        source = EVALUATE.build(
            store, EVALUATION, timeout=TIMEOUT, model=model, dataset=digits, reference=source
        )
        reports[name] = source
    return MainPath(store, digits, checkpoint, onnx, tflite, reports)


@pytest.fixture(scope="session")
def variants(main_path: MainPath) -> dict[PaddingName, Variant]:
    """The golden network by every strategy that takes it."""
    store, dataset, onnx = main_path.store, main_path.dataset, main_path.onnx
    found: dict[PaddingName, Variant] = {}
    for padding in STRATEGIES:
        rewritten, tflite = convert(store, dataset, onnx, padding)
        report = EVALUATE.build(
            store,
            EVALUATION,
            timeout=TIMEOUT,
            model=tflite,
            dataset=dataset,
            reference=main_path.reports["onnx"],
        )
        found[padding] = Variant(rewritten, tflite, store.path(tflite, tflite.file), report)
    return found


def convert(
    store: Store,
    dataset: Dataset,
    onnx: OnnxModel,
    padding: PaddingName,
    converter: ConverterName = "onnx2tf",
) -> tuple[RewrittenModel, TfliteModel]:
    """Rewrite and convert, with the parity checks of the stages."""
    rewriting = RewriteConfig(padding=padding, tolerance=TOLERANCE)
    rewritten = REWRITE.build(store, rewriting, timeout=TIMEOUT, model=onnx, dataset=dataset)
    config = ConvertConfig(converter=converter, tolerance=TOLERANCE)
    inputs = {"model": rewritten, "original": onnx, "dataset": dataset}
    return rewritten, CONVERT.build(store, config, timeout=TIMEOUT, **inputs)
