"""What a Keras file consists of, read without TensorFlow."""

import json

import h5py
import pytest

from mmdet2tflite.backends.keras_runner import keras_ops
from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.census import census_metrics


def function(name: str) -> dict:
    return {"class_name": "TFOpLambda", "config": {"function": name}}


def layer(name: str, **config: object) -> dict:
    return {"class_name": name, "config": config}


def functional(*layers: dict) -> dict:
    return {"class_name": "Functional", "config": {"layers": list(layers)}}


def write(path, model: dict):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(model)
    return path


def test_a_files_layers_are_counted_by_name_those_of_a_network_inside_it_too(tmp_path):
    network = functional(
        layer("InputLayer"),
        function("compat.v1.pad"),
        function("nn.convolution"),
        function("nn.convolution"),
        layer("Dense", activation="relu"),
    )
    outer = functional(
        layer("InputLayer"), function("reverse"), network, layer("Activation", activation="linear")
    )
    path = write(tmp_path / "model.h5", outer)
    assert keras_ops(path) == {"reverse": 1, "pad": 1, "convolution": 2, "Dense": 1}


def test_pads_and_transposes_of_every_tool_are_counted():
    ops = {"pad": 2, "PadV2": 3, "MirrorPad": 4, "transpose": 5, "Transpose": 6, "Conv2D": 7}
    found = census_metrics(ops)
    assert (found["pads"], found["transposes"], found["ops"]) == (9, 11, 27)


def test_the_size_of_a_folder_is_that_of_all_files_in_it(tmp_path):
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_bytes(bytes(3_000_000))
    (tmp_path / "model" / "variables" / "index").write_bytes(bytes(500_000))
    assert census_metrics({}, tmp_path / "model")["size_mb"] == 3.5


@pytest.mark.parametrize("content", [b"", b"no HDF5"])
def test_what_is_no_keras_file_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.h5 cannot be read"):
        keras_ops(path)


def test_an_hdf5_file_without_a_model_is_said_to_be_none(tmp_path):
    h5py.File(tmp_path / "weights.h5", "w").close()
    with pytest.raises(ModelError, match=r"weights\.h5 cannot be read"):
        keras_ops(tmp_path / "weights.h5")
