"""Training in a child process: it can be killed at any moment, and trusts no checkpoint."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.detector.train import TRAIN, TrainConfig, read_curves
from mmdet2tflite.errors import ModelError
from tests.toolchain.golden import GOLDEN, SIZE, TIMEOUT, golden_config

pytestmark = pytest.mark.toolchain

EPOCHS = 4
SHORT = {"epochs": EPOCHS, "batch_size": 8, "val_interval": 2, "workers": 0}

SCRIPT = """
import sys
from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.store.store import Store
root, config, dataset = sys.argv[1:]
TRAIN.build(
    Store(root),
    TrainConfig.model_validate_json(config),
    timeout=600,
    dataset=Dataset.model_validate_json(dataset),
)
"""


def wait_for(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def test_a_training_that_was_killed_goes_on_from_its_last_epoch(store, digits):
    import torch

    config = TrainConfig(detector=DetectorConfig(input_size=SIZE), training=Training(**SHORT))
    work = store.work / "checkpoint" / TRAIN.key(config, dataset=digits)
    words = [store.root, config.model_dump_json(), digits.model_dump_json()]
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, *words])
    wait_for(lambda: (work / "run" / "epoch_2.pth").exists(), 300)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert store.find("checkpoint", work.name) is None

    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)

    log = store.path(checkpoint, "log/train.log").read_text()
    assert "going on from epoch_" in log
    curves = read_curves(store, checkpoint)
    assert [line["epoch"] for line in curves if "loss" in line] == [1, 2, 3, 4]
    assert [line["epoch"] for line in curves if "map" in line] == [2, 4]
    assert not store.path(checkpoint).joinpath("run").exists()
    assert set(torch.load(store.path(checkpoint, "weights.pth"))) == {"state_dict", "meta"}


NO_GAIN = {"batch_size": 8, "workers": 0, "learning_rate": 1e-12, "weight_decay": 0}
"""With these a network stays what it is."""


def epochs_of(store, checkpoint) -> tuple[list[int], list[int]]:
    """Those that were trained, and those that were validated."""
    curves = read_curves(store, checkpoint)
    return tuple([line["epoch"] for line in curves if name in line] for name in ("loss", "map"))


def test_it_ends_where_validations_have_brought_nothing_better_for_long_enough(store, digits):
    config = golden_config(epochs=5, val_interval=1, patience=2, **NO_GAIN)
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    assert epochs_of(store, checkpoint) == ([1, 2], [0, 1, 2])
    assert checkpoint.epoch == 0
    log = store.path(checkpoint, "log/train.log").read_text()
    assert "ends after epoch 2: 2 validations without a better mAP" in log


def test_it_ends_after_the_epoch_in_which_its_time_is_over_and_validates_that(store, digits):
    config = golden_config(epochs=5, val_interval=5, minutes=0.001, **NO_GAIN)
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    assert epochs_of(store, checkpoint) == ([1], [0, 1])


@pytest.mark.parametrize(
    ("scores", "count"), [([], 0), ([0.0], 0), ([0.2, 0.3], 0), ([0.3, 0.2, 0.3], 2)]
)
def test_an_equal_validation_is_no_better(scores, count):
    from mmdet2tflite.detector.early_end import without_gain

    assert without_gain(scores) == count


@pytest.fixture(scope="module")
def load() -> Callable[[Path], object]:
    """What the training child does with ``training.checkpoint``."""
    from mmdet2tflite.detector import compat

    compat.prepare()
    from mmdet2tflite.detector.start_weights import read_checkpoint

    return read_checkpoint


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(load, tmp_path):
    import torch

    trace = tmp_path / "it-ran"

    class Malicious:
        def __reduce__(self):
            return os.system, (f"touch {trace}",)

    evil = tmp_path / "evil.pth"
    torch.save({"state_dict": {}, "meta": Malicious()}, evil)
    with pytest.raises(ModelError, match="holds more than weights"):
        load(evil)
    assert not trace.exists()
    # The same file does run its code where pickle is trusted: the test can fail.
    torch.load(evil, weights_only=False)
    assert trace.exists()


def test_mmengines_history_is_allowed_its_statistics_and_not_getattr(load, tmp_path):
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    class Reaching:
        def __reduce__(self):
            return getattr, (HistoryBuffer, "__init__")

    path = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": {}, "meta": {"loss": HistoryBuffer([1.0], [1])}}, path)
    load(path)
    torch.save({"state_dict": {}, "meta": Reaching()}, path)
    with pytest.raises(ModelError, match="holds more than weights"):
        load(path)


def test_building_the_network_leaves_its_config_as_it_is(load, tmp_path):
    """It is kept beside the weights, and a training that goes on does not build it first."""
    from mmdet2tflite.detector.mmdet_config import build_config
    from mmdet2tflite.detector.start_weights import build_with
    from mmdet2tflite.detector.train_request import DataPaths

    place = (tmp_path / "split.json", tmp_path)
    data = DataPaths(classes=tuple("0123456789"), train=place, val=place)
    cfg = build_config(DetectorConfig(input_size=SIZE), Training(), data, tmp_path)
    before = cfg.to_dict()
    build_with(cfg, load(GOLDEN))
    assert cfg.to_dict() == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint_is_refused(load, tmp_path, content):
    path = tmp_path / "broken.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.pth"):
        load(path)


def test_a_checkpoint_of_other_classes_is_refused_by_their_names(store, digits, tmp_path):
    import torch

    other = torch.load(GOLDEN)
    other["meta"]["dataset_meta"] = {"classes": ["cat", "dog"]}
    torch.save(other, tmp_path / "pets.pth")
    with pytest.raises(ModelError, match="trained for 2 classes: cat, dog"):
        TRAIN.build(
            store, golden_config(checkpoint=tmp_path / "pets.pth"), timeout=TIMEOUT, dataset=digits
        )


@pytest.mark.long
def test_a_users_own_mmdet_config_keeps_its_pipeline_and_schedule(store, digits, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "_base_ = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'\n"
        "model = dict(data_preprocessor=dict(batch_augments=None))\n"
    )
    training = Training(**{**SHORT, "epochs": 1}, augmentation="config", optimizer="config")
    config = TrainConfig(detector=DetectorConfig(config=mine, input_size=SIZE), training=training)
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    resolved = store.path(checkpoint, "config.py").read_text()
    assert "MixUp" in resolved
    assert "SGD" in resolved
    assert "ann_file='train.json'" in resolved
    assert str(store.root) not in resolved  # nor where it was trained
    assert checkpoint.head.classes == tuple("0123456789")


def test_a_training_from_a_checkpoint_begins_with_its_weights(store, digits, main_path):
    # One epoch that hardly moves: what it is worth afterwards is what it was worth before.
    settings = {**SHORT, "epochs": 1, "learning_rate": 1e-7, "checkpoint": GOLDEN}
    config = TrainConfig(
        detector=DetectorConfig(input_size=SIZE), training=Training.model_validate(settings)
    )
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    before = main_path.reports["pytorch"].metrics["map"]
    assert checkpoint.metrics["val.map"] == pytest.approx(before, abs=0.05)


def test_the_manifest_tells_where_a_checkpoint_comes_from(store, digits, main_path):
    manifest = json.loads(Path(store.path(main_path.checkpoint, "manifest.json")).read_text())
    assert manifest["origin"]["inputs"] == {"dataset": digits.digest}
    assert set(manifest["origin"]["tools"]) >= {"torch", "mmdet", "mmengine"}


def test_a_training_from_a_checkpoint_records_its_worth_and_never_gives_back_worse(
    store, digits, main_path
):
    # One epoch that ruins the weights.
    settings = {**SHORT, "epochs": 1, "learning_rate": 0.5, "checkpoint": GOLDEN}
    settings |= {"warmup_iterations": 0, "ema_momentum": 0.999}
    config = TrainConfig(
        detector=DetectorConfig(input_size=SIZE), training=Training.model_validate(settings)
    )
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=digits)
    before = main_path.reports["pytorch"].metrics["map"]
    start, end = (line for line in read_curves(store, checkpoint) if "map" in line)
    assert (start["epoch"], end["epoch"]) == (0, 1)
    # mmengine measures whole batches, the report image by image.
    assert start["map"] == pytest.approx(before, abs=1e-3)
    assert end["map"] < before / 2
    assert checkpoint.epoch == 0
    assert checkpoint.metrics["start.map"] == checkpoint.metrics["val.map"] == start["map"]
    same_weights(store.path(checkpoint, checkpoint.weights), GOLDEN)


def same_weights(path: Path, other: Path) -> None:
    import torch

    found, expected = (torch.load(each)["state_dict"] for each in (path, other))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
