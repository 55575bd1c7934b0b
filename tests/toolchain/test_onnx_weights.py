"""Weights from an ONNX file whose batch norms are folded: back into mmdet, and trained on."""

from pathlib import Path

import pytest

from mmdet2tflite.config.experiment import Augmentation
from mmdet2tflite.detector.train import TRAIN, read_curves
from mmdet2tflite.errors import ModelError, ParityError
from mmdet2tflite.evaluate.evaluate import EVALUATE
from tests.toolchain.golden import EVALUATION, GOLDEN, TIMEOUT, golden_config
from tests.toolchain.usual_networks import NETWORKS

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def onnx_file(main_path) -> Path:
    return main_path.store.path(main_path.onnx, main_path.onnx.file)


@pytest.fixture(scope="module")
def adopted(main_path, onnx_file):
    """A checkpoint of mmdet's with the weights of the file."""
    config = golden_config(checkpoint=onnx_file)
    return TRAIN.build(main_path.store, config, timeout=TIMEOUT, dataset=main_path.dataset)


def test_mmdet_finds_with_them_what_the_file_finds(main_path, adopted):
    report = EVALUATE.build(
        main_path.store,
        EVALUATION,
        timeout=TIMEOUT,
        model=adopted,
        dataset=main_path.dataset,
        reference=main_path.reports["onnx"],
    )
    assert report.metrics["map"] == pytest.approx(
        main_path.reports["onnx"].metrics["map"], abs=1e-4
    )
    assert report.metrics["parity.relative"] <= 1e-4


@pytest.mark.long
def test_a_training_goes_on_from_them(main_path, onnx_file):
    short = {
        "epochs": 1,
        "batch_size": 8,
        "val_interval": 1,
        "workers": 0,
        "learning_rate": 1e-4,
        "augmentation": Augmentation(mosaic=False, flip=0, rotate=0, translate=0, shear=0),
    }
    config = golden_config(checkpoint=onnx_file, **short)
    store = main_path.store
    trained = TRAIN.build(store, config, timeout=TIMEOUT, dataset=main_path.dataset)
    before, after = (line["map"] for line in read_curves(store, trained) if "map" in line)
    assert before == pytest.approx(main_path.reports["pytorch"].metrics["map"], abs=1e-3)
    # Batch norms without the statistics of their layers would leave nothing of it.
    assert after > before - 0.1


def test_layers_that_know_of_classes_start_anew_for_others(main_path):
    from mmdet2tflite.detector import compat

    compat.prepare()
    from mmengine.config import Config

    from mmdet2tflite.detector.start_weights import fit_to_classes, read_checkpoint

    config = Config.fromfile(main_path.store.path(main_path.checkpoint, "config.py"))
    start = read_checkpoint(GOLDEN)
    kept = fit_to_classes(start, config, ("cat", "dog"), training=True).state_dict
    assert set(start.state_dict) - set(kept) == {
        f"bbox_head.multi_level_conv_cls.{level}.{name}"
        for level in range(3)
        for name in ("weight", "bias")
    }


def test_a_file_that_a_padding_strategy_rewrote_is_refused(main_path, variants):
    rewritten = variants["mirror"].rewritten
    file = main_path.store.path(rewritten, rewritten.file)
    with pytest.raises(ParityError, match="rewritten by a padding strategy"):
        TRAIN.build(
            main_path.store,
            golden_config(checkpoint=file),
            timeout=TIMEOUT,
            dataset=main_path.dataset,
        )


def test_a_file_of_another_network_is_refused(main_path, tmp_path):
    NETWORKS["classifier"](str(tmp_path / "classifier.onnx"))
    with pytest.raises(ModelError, match="a YOLOX network"):
        TRAIN.build(
            main_path.store,
            golden_config(checkpoint=tmp_path / "classifier.onnx"),
            timeout=TIMEOUT,
            dataset=main_path.dataset,
        )
