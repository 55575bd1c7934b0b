"""A training's key: what the files say that it starts from, not where they are."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mmdet2tflite.config.experiment import DetectorConfig, Export, Training
from mmdet2tflite.detector.export import EXPORT
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from mmdet2tflite.errors import ModelError

CONFIG = "model = dict(bbox_head=dict())\n"


def key(detector: Path, **training: Any) -> str:
    config = TrainConfig(detector=DetectorConfig(config=detector), training=Training(**training))
    return TRAIN.key(config)


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CONFIG)
    (tmp_path / "weights.pth").write_bytes(b"weights")
    return tmp_path / "mine.py"


def test_a_checkpoint_is_the_same_by_a_relative_and_an_absolute_path_and_in_another_folder(
    detector: Path, tmp_path: Path
) -> None:
    (tmp_path / "far").mkdir()
    shutil.copy("weights.pth", "far/other_name.pth")
    places = (Path("weights.pth"), tmp_path / "weights.pth", tmp_path / "far" / "other_name.pth")
    assert len({key(detector, checkpoint=place) for place in places}) == 1


def test_another_content_of_a_checkpoint_is_another_training(detector: Path) -> None:
    before = key(detector, checkpoint=Path("weights.pth"))
    Path("weights.pth").write_bytes(b"others")
    assert key(detector, checkpoint=Path("weights.pth")) != before


def test_a_checkpoint_that_is_missing_is_not_a_training_from_scratch(detector: Path) -> None:
    """It would find one in the store, and never say that there is no such file."""
    keys = {key(detector), key(detector, checkpoint=Path("no.pth"))}
    assert len({*keys, key(detector, checkpoint=Path("weights.pth"))}) == 3


def test_a_detector_config_is_the_same_wherever_it_is(detector: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    shutil.copy(detector, tmp_path / "far" / "renamed.py")
    places = (detector, Path("mine.py"), Path("far/renamed.py"))
    assert len({key(place) for place in places}) == 1
    detector.write_text(f"{CONFIG}# another\n")
    assert key(detector) != key(Path("far/renamed.py"))


def test_how_often_a_training_is_saved_and_where_its_machines_meet_is_not_in_its_key(
    detector: Path,
) -> None:
    assert key(detector, save_interval=5) == key(detector)
    two = {"machines": 2, "batch_size": 4}
    assert key(detector, rendezvous="node0:29500", **two) == key(detector, **two)


def test_what_is_tuned_after_a_training_is_not_in_its_key(detector: Path) -> None:
    tuned = key(detector, quantised=True, tuning={"iterations": 7})
    assert tuned == key(detector)


@pytest.mark.parametrize(
    "changed",
    [
        *({"epochs": 2}, {"batch_size": 8}, {"val_interval": 3}, {"seed": 1}, {"processes": 2}),
        *({"workers": 3}, {"device": "cpu"}, {"ema_momentum": 0.5}, {"optimizer": "config"}),
    ],
    ids=str,
)
def test_what_changes_weights_is_in_the_key(detector: Path, changed: dict[str, Any]) -> None:
    assert key(detector, **changed) != key(detector)


def write_onnx(folder: Path, weights: np.ndarray) -> Path:
    tensor = onnx.numpy_helper.from_array(weights, "w")
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, list(weights.shape))
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [value])
    graph.initializer.append(tensor)
    path = folder / "model.onnx"
    model = helper.make_model(graph)
    onnx.save(model, path, save_as_external_data=True, location="model.data", size_threshold=0)
    return path


def test_weights_that_an_onnx_file_has_beside_it_are_in_the_key(
    detector: Path, tmp_path: Path
) -> None:
    path = write_onnx(tmp_path, np.zeros(512, np.float32))
    model, before = path.read_bytes(), key(detector, checkpoint=path)
    (tmp_path / "model.data").unlink()
    write_onnx(tmp_path, np.ones(512, np.float32))
    assert path.read_bytes() == model
    assert key(detector, checkpoint=path) != before


def test_an_onnx_file_that_is_none_is_refused_before_anything_starts(detector: Path) -> None:
    Path("weights.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="no ONNX model"):
        key(detector, checkpoint=Path("weights.onnx"))


def test_a_deploy_config_is_the_same_wherever_it_is(detector: Path, tmp_path: Path) -> None:
    places = (Path("mine.py"), tmp_path / "mine.py")
    keys = [EXPORT.key(Export(deploy_config=place)) for place in places]
    assert keys[0] == keys[1]
    detector.write_text(f"{CONFIG}# another\n")
    assert EXPORT.key(Export(deploy_config=detector)) != keys[0]
