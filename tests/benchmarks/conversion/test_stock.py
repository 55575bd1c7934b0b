"""The stage that runs another tool: what it leaves, which output is which, why it failed."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.conversion import stock
from benchmarks.conversion.recipes import RECIPES, Making, Recipe, save_samples
from benchmarks.conversion.stock import STOCK, Stock, StockConfig
from mmdet2tflite.artifacts import Dataset, OnnxModel, OpenvinoModel
from mmdet2tflite.convert.tflite_file import output_tensors
from mmdet2tflite.errors import ModelError, ToolFailed
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.store.store import Store
from mmdet2tflite.tflite.flatbuffer import read_model
from tests.evaluate.constant_network import (
    SIDE,
    constant_network,
    onnx_model,
    write_data,
)

LOG = """\
Traceback (most recent call last):
  File "x.py", line 1
onnx2tf.StrictError: \x1b[31mTensor 19 has invalid parameters\x1b[0m

The above exception was the direct cause of the following exception:
RuntimeError: it failed.
"""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def run(store, write_onnx, monkeypatch) -> Callable[..., Stock]:
    """Build with a recipe that is ``make``; the data set has three images."""

    def data(work: Path) -> Dataset:
        dataset = write_data(work)
        (work / "val.json").rename(work / "all.json")
        split = dataset.train.model_copy(update={"annotations": "all.json"})
        return dataset.model_copy(update={"train": split, "val": split})

    def build(
        make: Callable[[Making], Path],
        calibrated: bool = False,
        count: int = 300,
        environment: str = "",
    ) -> Stock:
        recipe = Recipe("a command", make, "int7", ("onnx2tf",), calibrated, environment)
        monkeypatch.setitem(stock.RECIPES, "onnx2tf_int8", recipe)
        onnx = store.build("onnx", "o", lambda work: onnx_model(write_onnx, work), origin={})
        dataset = store.build("dataset", "d", data, origin={})
        config = StockConfig.of("onnx2tf_int8", count)
        return STOCK.build(store, config, timeout=60, model=onnx, dataset=dataset)

    return build


def converter(write_tflite, **names: str) -> Callable[[Making], Path]:
    """Writes the constant network, its outputs under other names."""

    def make(making: Making) -> Path:
        layers = {names.get(name, name): layer for name, layer in constant_network().items()}
        return write_tflite(making.work / "any.tflite", (1, 3, SIDE, SIDE), layers)

    return make


def test_a_tflite_file_with_the_names_of_the_onnx_is_left_as_it_is(run, store, write_tflite):
    written = []

    def make(making: Making) -> Path:
        path = converter(write_tflite)(making)
        written.append(path.read_bytes())
        return path

    model = run(make)
    assert store.path(model, model.file).read_bytes() == written[0]
    assert [(output.name, output.layout) for output in model.outputs] == [
        ("cls_32", "nhwc"),
        ("box_32", "nhwc"),
        ("obj_32", "nhwc"),
    ]
    assert (model.strategy, model.converter, model.precision) == ("stock", "onnx2tf", "int7")


def test_outputs_with_invented_names_are_told_by_their_shapes(run, store, write_tflite):
    model = run(converter(write_tflite, cls_32="Identity_2", box_32="Identity", obj_32="x"))
    outputs = output_tensors(read_model(store.path(model, model.file)))
    assert {output.name: output.shape[-1] for output in outputs} == {
        "cls_32": 2,
        "box_32": 4,
        "obj_32": 1,
    }


def test_an_onnx_file_becomes_an_onnx_model(run, store):
    def make(making: Making) -> Path:
        path = making.work / "int8.onnx"
        path.write_bytes(b"quantised")
        return path

    model = run(make)
    assert isinstance(model, OnnxModel)
    assert model.stage == "stock"
    assert store.path(model, model.file).read_bytes() == b"quantised"


def test_an_openvino_file_becomes_an_openvino_model_with_its_weights(run, store):
    def make(making: Making) -> Path:
        path = making.work / "int8.xml"
        path.write_text("<net/>")
        path.with_suffix(".bin").write_bytes(b"weights")
        return path

    model = run(make)
    assert isinstance(model, OpenvinoModel)
    assert store.path(model, model.file).read_text() == "<net/>"
    assert store.path(model, model.weights).read_bytes() == b"weights"


def test_the_lock_of_a_recipes_own_environment_is_in_the_key(run, write_tflite, monkeypatch):
    digests, seen = iter(["first", "second"]), []
    monkeypatch.setattr(stock, "lock_digest", lambda root, name: next(digests))
    monkeypatch.setattr(stock, "environment_python", lambda root, name, *_: Path(name) / "python")

    def make(making: Making) -> Path:
        seen.append(making.python)
        return converter(write_tflite)(making)

    models = [run(make, environment="tools") for _ in range(2)]
    assert seen == [Path("tools") / "python"] * 2
    assert models[0].key != models[1].key


def test_what_the_tool_leaves_lying_about_is_not_kept(run, store, write_tflite):
    model = run(converter(write_tflite))
    assert {path.name for path in store.path(model).iterdir()} == {
        "log",
        "manifest.json",
        "model.tflite",
    }


def test_a_tool_that_fails_is_quoted_with_the_errors_of_its_log(run):
    def make(making: Making) -> Path:
        making.log.write_text(f"ValueError: an earlier one\n{LOG}")
        raise ToolFailed("onnx2tf 1 ended with status 1; the end of its log:\n    | x", "b", "c")

    with pytest.raises(ToolFailed) as caught:
        run(make)
    assert caught.value.found == (
        "onnx2tf 1 ended with status 1: onnx2tf.StrictError: Tensor 19 has invalid parameters"
        " → RuntimeError: it failed."
    )
    assert (caught.value.expected, caught.value.remedy) == ("b", "c")


def test_a_tool_that_died_without_a_word_is_quoted_as_it_is(run):
    def make(making: Making) -> Path:
        making.log.write_text("Error-free so far\n")
        raise ToolFailed("onnx2tf 1 was killed by SIGSEGV; the end of its log:\n    | x")

    with pytest.raises(ToolFailed, match="killed by SIGSEGV; the end of its log"):
        run(make)


def test_a_tool_that_ends_well_and_leaves_no_file_has_failed(run):
    with pytest.raises(ToolFailed, match=r"onnx2tf left no model_int7\.tflite"):
        run(lambda making: making.work / "model_int7.tflite")


def test_outputs_that_nobody_can_tell_apart_are_refused(run, write_tflite):
    def make(making: Making) -> Path:
        bias = (np.zeros((2, 3, SIDE, SIDE)), np.zeros(2))
        return write_tflite(making.work / "a.tflite", (1, 3, SIDE, SIDE), {"a": bias, "b": bias})

    with pytest.raises(ModelError, match="no single output"):
        run(make)


def test_only_a_recipe_that_calibrates_gets_images_and_depends_on_their_number(run, write_tflite):
    seen = []

    def make(making: Making) -> Path:
        seen.append([path.name for path in making.calibration])
        return converter(write_tflite)(making)

    run(make, calibrated=True, count=2)
    run(make, calibrated=True, count=3)
    run(make, calibrated=True, count=2)
    run(make, count=2)
    run(make, count=3)
    assert [len(names) for names in seen] == [2, 3, 0]
    assert set(seen[1]) == {"1.png", "2.png", "3.png"}


def test_samples_are_the_networks_input_with_the_channels_last(tmp_path):
    preprocessing = Preprocessing(width=64, height=32)
    images = tuple(tmp_path / f"{number}.png" for number in range(2))
    for number, image in enumerate(images):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 64, 3), np.uint8)
        cv2.imwrite(str(image), pixels)
    making = Making(tmp_path / "m.onnx", preprocessing, images[::-1], tmp_path, tmp_path / "l", 1)
    samples = np.load(save_samples(making))
    # PNG keeps every pixel, the size fits, and the network takes BGR from 0 to 255 as it is.
    np.testing.assert_array_equal(samples, [cv2.imread(str(image)) for image in images[::-1]])
    assert samples.dtype == np.float32


def test_every_recipe_that_quantises_statically_takes_images():
    assert {name for name, recipe in RECIPES.items() if recipe.calibrated} == {
        "onnx2tf_int8",
        "onnx2tf_tensorflow_int8",
        "onnxruntime_int8",
        "openvino_int8",
    }


def test_the_key_names_the_versions_of_the_recipes_tools(run, store, write_tflite):
    model = run(converter(write_tflite))
    manifest = json.loads((store.path(model) / "manifest.json").read_text())
    assert manifest["origin"]["tools"].keys() == {"onnx2tf"}
