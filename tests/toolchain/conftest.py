"""The real tools on a small network that this project trained itself (tests/golden)."""

from dataclasses import dataclass

import pytest

from mmdet2tflite.artifacts import Checkpoint, Dataset, OnnxModel, Report, TfliteModel
from mmdet2tflite.config import DigitsData, Export
from mmdet2tflite.convert.convert import CONVERT, ConvertConfig
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.store import Store
from tests.toolchain.golden import EVALUATION, SIZE, TIMEOUT, golden_config


@dataclass(frozen=True)
class MainPath:
    """Every artefact from the golden checkpoint to the TFLite file and their reports."""

    store: Store
    dataset: Dataset
    checkpoint: Checkpoint
    onnx: OnnxModel
    tflite: TfliteModel
    reports: dict[str, Report]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def digits(store: Store) -> Dataset:
    config = DigitsData(kind="digits", size=SIZE, train_images=16, val_images=24)
    return DATASET.build(store, config, timeout=TIMEOUT)


@pytest.fixture(scope="session")
def main_path(store: Store, digits: Dataset) -> MainPath:
    checkpoint = TRAIN.build(store, golden_config(), timeout=TIMEOUT, dataset=digits)
    onnx = EXPORT.build(store, Export(), timeout=TIMEOUT, checkpoint=checkpoint, dataset=digits)
    config = ConvertConfig(converter="onnx2tf", tolerance=1e-4)
    tflite = CONVERT.build(store, config, timeout=TIMEOUT, model=onnx, dataset=digits)
    reports: dict[str, Report] = {}
    source = None
    for name, model in (("pytorch", checkpoint), ("onnx", onnx), ("tflite", tflite)):
        source = EVALUATE.build(
            store, EVALUATION, timeout=TIMEOUT, model=model, dataset=digits, reference=source
        )
        reports[name] = source
    return MainPath(store, digits, checkpoint, onnx, tflite, reports)
