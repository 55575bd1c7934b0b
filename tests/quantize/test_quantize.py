"""The stage: what it needs, what it refuses, and what the file and its artefact say of it."""

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset, Split, TfliteModel
from mmdet2tflite.config.experiment import Variants
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.convert.tflite_file import read_passport, write_passport
from mmdet2tflite.errors import ConfigError, DataError, ModelError, ParityError
from mmdet2tflite.passport import Head, Passport, Preprocessing, Rotation, TfliteOutput
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantise_file import check_resemblance
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig, choose
from mmdet2tflite.quantize.quantize_worker import calibration_samples, compare
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.store.store import Store
from mmdet2tflite.tflite.flatbuffer import write_model
from tests.tflite.tflite_writer import Writer

SIDE = 32
OUTPUTS = {"cls_32": 2, "box_32": 4, "obj_32": 1}
MODEL = TfliteModel(
    head=Head(
        family="yolox",
        classes=("cat", "dog"),
        strides=(32,),
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=100,
    ),
    preprocessing=Preprocessing(width=SIDE, height=SIDE),
    outputs=tuple(TfliteOutput(name=name, shape=(1, 1, 1, n)) for name, n in OUTPUTS.items()),
    strategy="mirror",
    exact=True,
    converter="onnx2tf",
    precision="float32",
)


def write_tflite(path: Path, seed: int = 0, bias_of_boxes: float = 0) -> TfliteModel:
    """One convolution over the whole input for each output."""
    rng = np.random.default_rng(seed)
    writer = Writer()
    image = writer.tensor("image", (1, SIDE, SIDE, 3))
    found = {}
    for name, count in OUTPUTS.items():
        kernel = rng.normal(size=(count, SIDE, SIDE, 3)).astype(np.float32)
        taps = writer.constant(f"{name}_k", kernel)
        bias = rng.normal(size=count).astype(np.float32)
        if name == "box_32":
            bias += np.float32(bias_of_boxes)
        bias = writer.constant(f"{name}_b", bias)
        found[name] = writer.conv(image, taps, bias, writer.tensor(name, (1, 1, 1, count)))
    model = writer.finish({"image": image}, found)
    names = ("head", "preprocessing", "outputs", "strategy", "exact", "converter", "precision")
    described = {name: getattr(MODEL, name) for name in names}
    tools, ancestors = {"onnx2tf": "1"}, {"onnx": "abc"}
    write_passport(model, Passport(**described, tools=tools, ancestors=ancestors))
    write_model(model, path)
    return MODEL


def write_images(folder: Path, count: int = 3) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8))
    return paths


def write_data(folder: Path, train: int = 3) -> Dataset:
    names = [path.name for path in write_images(folder)]
    splits = {}
    for split, count in (("train", train), ("val", 2)):
        images = [{"id": i, "file_name": name} for i, name in enumerate(names[:count])]
        (folder / f"{split}.json").write_text(json.dumps({"images": images}))
        splits[split] = Split(
            annotations=f"{split}.json", image_root="", images=count, boxes=0, images_digest=""
        )
    return Dataset(classes=("cat", "dog"), **splits)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def model(store) -> TfliteModel:
    return store.build("tflite", "t", lambda work: write_tflite(work / "model.tflite"), origin={})


def build(
    store: Store,
    model: TfliteModel,
    precision: str,
    train: int = 3,
    budget: float | None = None,
    **more,
) -> TfliteModel:
    dataset = store.build("dataset", str(train), lambda work: write_data(work, train), origin={})
    config = QuantizeConfig.of(precision, Variants(calibration_images=2, accuracy_budget=budget))
    inputs = {"model": model, "dataset": dataset}
    return QUANTIZE.build(store, config, timeout=60, **inputs, **more)


def test_a_calibrated_file_says_what_it_is_and_how_far_from_the_float_file(store, model):
    messages = []
    result = build(store, model, "int8_io", on_progress=messages.append)
    assert result.variant == "mirror · onnx2tf · int8_io"
    assert (result.outputs, result.rotation) == (model.outputs, model.rotation)
    passport = read_passport(store.path(result, result.file))
    assert passport.precision == "int8_io"
    assert passport.tools["litert-quantizer"] == version("litert-quantizer")
    assert passport.tools["onnx2tf"] == "1"
    assert passport.ancestors == {"onnx": "abc", "float32": model.digest}
    assert result.metrics["calibration.images"] == 2
    each = [result.metrics[f"check.snr_db.{name}"] for name in OUTPUTS]
    assert result.metrics["check.snr_db"] == min(each)
    assert messages == [
        {"completed": done, "total": 2, "description": "calibrate"} for done in (0, 1)
    ]


def test_a_file_that_is_not_calibrated_needs_no_training_images(store, model):
    result = build(store, model, "float16", train=0)
    assert result.precision == "float16"
    assert "calibration.images" not in result.metrics
    # Half a unit in the 11th bit of a weight; errors of 3,072 taps add up no worse than values do.
    assert result.metrics["check.snr_db"] > 60


def layers_of(store: Store, result: TfliteModel) -> dict:
    return json.loads(store.path(result, LAYERS).read_text())


def test_a_calibrated_file_comes_with_the_loss_of_each_layer(store, model):
    result = build(store, model, "int8")
    table = layers_of(store, result)
    assert table["images"] == 2
    assert [layer["layer"] for layer in table["layers"]] == list(OUTPUTS)
    for layer in table["layers"]:
        assert (layer["operator"], layer["output"]) == ("CONV_2D", layer["layer"])
        # A mean over images is no less than the worst of them, but for other kernels' rounding.
        assert layer["snr_db"] > result.metrics[f"check.snr_db.{layer['layer']}"] - 1
        assert layer["snr_db"] < 60
        assert layer["source_snr_db"] == 200  # the image itself
        assert (layer["share"], layer["float32"]) == (None, False)


def test_a_file_with_a_budget_says_what_it_loses_and_what_keeps_it(store, model):
    metrics = build(store, model, "int8", budget=99.0).metrics
    assert metrics["layers.total"] == 3
    assert (metrics["layers.float32"], metrics["layers.multiplications"]) == (0, 0)
    assert metrics["budget.loss"] == metrics["budget.loss_in_integers"] < 99


def test_only_int8_depends_on_the_budget():
    for precision in PRECISIONS:
        keys = [
            QUANTIZE.key(QuantizeConfig.of(precision, Variants(accuracy_budget=points)))
            for points in (None, 0.5)
        ]
        assert (keys[0] != keys[1]) == (precision == "int8")


def test_a_file_that_is_tuned_afterwards_may_lose_twice_as_much_before():
    variants = Variants(accuracy_budget=0.5)
    assert QuantizeConfig.of("int8", variants, tuned=True).accuracy_budget == 1.0
    assert QuantizeConfig.of("int8_io", variants, tuned=True).accuracy_budget is None
    assert QuantizeConfig.of("int8", Variants(), tuned=True).accuracy_budget is None


def test_a_budget_of_a_network_that_nobody_decodes_is_refused(store, model):
    other = model.model_copy(update={"head": dataclasses.replace(model.head, family=None)})
    with pytest.raises(ConfigError) as refusal:
        build(store, other, "int8", budget=0.5)
    assert "whose outputs nobody decodes" in refusal.value.found


def test_a_file_with_real_activations_has_no_table_of_layers(store, model):
    assert not (store.path(build(store, model, "int8_weight")) / LAYERS).exists()


def test_without_training_images_nothing_can_be_calibrated(store, model):
    with pytest.raises(DataError) as refusal:
        build(store, model, "int8", train=0)
    assert refusal.value.found == "the data set has no training images"


def test_a_file_of_another_precision_is_refused(store, model):
    other = model.model_copy(update={"precision": "float16"})
    with pytest.raises(ModelError) as refusal:
        build(store, other, "int8")
    assert refusal.value.found == "mirror · onnx2tf · float16 is of precision float16"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_only_a_calibrated_precision_depends_on_the_number_of_images(precision):
    few, many = (
        QUANTIZE.key(QuantizeConfig.of(precision, Variants(calibration_images=count)))
        for count in (10, 300)
    )
    assert (few != many) == (precision in ("int8", "int8_io", "int16x8"))


def test_every_name_has_its_line_in_the_table():
    assert {"float32", *PRECISIONS} == set(get_args(PrecisionName))


def test_the_sample_is_seeded_and_without_repetition_and_all_there_is_if_there_are_fewer():
    images = [Path(f"{number}.png") for number in range(50)]
    chosen = choose(images, 20)
    assert chosen == choose(images, 20)
    assert len(set(chosen)) == 20
    assert set(chosen) < set(images)
    assert chosen != images[:20]
    assert sorted(choose(images, 300)) == sorted(images)


@pytest.mark.parametrize("rotated", [False, True])
def test_samples_are_letterboxed_nhwc_and_rotated_for_a_file_that_wants_that(tmp_path, rotated):
    images = write_images(tmp_path)
    model = MODEL.model_copy(update={"rotation": Rotation(input=rotated)})
    samples = list(calibration_samples(model, images))
    for image, sample in zip(images, samples, strict=True):
        expected = input_tensor(image, MODEL.preprocessing)[0][0].transpose(1, 2, 0)
        np.testing.assert_array_equal(sample[0], expected[::-1, ::-1] if rotated else expected)


def test_a_file_that_computes_something_else_is_refused_at_any_precision(tmp_path):
    source, other = tmp_path / "source.tflite", tmp_path / "other.tflite"
    images = write_images(tmp_path)
    write_tflite(source)
    write_tflite(other, seed=1)
    model = MODEL.model_copy(update={"precision": "int8"})
    with pytest.raises(ParityError, match=r"int8: of the outputs .* no more is left than noise"):
        compare((MODEL, source), (model, other), images)


def test_what_resembles_float32_is_measured_however_far_it_is():
    signal = np.array([3.0, 4.0, 0.0, 0.0], np.float32)
    noisy = signal + np.array([0.0, 0.0, 4.0, 0.0], np.float32)  # 25 to 16: 1.9 dB
    found = check_resemblance({"map": signal[None]}, {"map": noisy[None]}, "float16")
    decibels = 10 * np.log10(25 / 16)
    assert found == {
        "check.max_abs": 4.0,
        "check.relative": 1.0,
        "check.snr_db": pytest.approx(decibels),
        "check.snr_db.map": pytest.approx(decibels),
    }


def test_as_much_noise_as_signal_in_every_output_is_too_much():
    signal, silence = np.array([[3.0, 4.0]], np.float32), np.zeros((1, 2), np.float32)
    reference = {"map": signal, "other": signal}
    with pytest.raises(ParityError, match="of the outputs map, other no more is left"):
        check_resemblance(reference, {"map": silence, "other": silence}, "float16")
    found = check_resemblance(reference, {"map": silence, "other": signal}, "float16")
    assert found["check.snr_db.map"] == 0.0


def test_outputs_that_are_not_finite_are_refused(tmp_path):
    source, broken = tmp_path / "source.tflite", tmp_path / "broken.tflite"
    images = write_images(tmp_path)
    write_tflite(source)
    write_tflite(broken, bias_of_boxes=np.nan)
    with pytest.raises(ModelError, match="the outputs box_32 hold NaN or infinity"):
        compare((MODEL, source), (MODEL, broken), images)
