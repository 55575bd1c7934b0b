"""The stage: what it needs, what it refuses, and what the tuned file and its artefact say of it."""

import json
from importlib.metadata import version

import pytest

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.config.experiment import Experiment, Tuning
from mmdet2tflite.convert.tflite_file import read_passport
from mmdet2tflite.errors import DataError, ModelError
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.tuning.stage import TUNE, TuneConfig
from mmdet2tflite.quantize.tuning.tune_worker import LOSSES
from mmdet2tflite.store.store import Store
from mmdet2tflite.tflite.census import tflite_ops
from tests.quantize.test_quantize import build, write_data, write_tflite

ITERATIONS = 4
CONFIG = TuneConfig(tuning=Tuning(iterations=ITERATIONS, batch_size=2), seed=0)
LARGE = 60.0
"""Points, the most that is ever estimated."""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def teacher(store) -> TfliteModel:
    return store.build("tflite", "t", lambda work: write_tflite(work / "model.tflite"), origin={})


def tune(
    store: Store,
    teacher: TfliteModel,
    precision: str,
    train: int = 3,
    config: TuneConfig = CONFIG,
    **more,
) -> TfliteModel:
    model = build(store, teacher, precision, budget=config.accuracy_budget and 2 * LARGE)
    dataset = store.build("dataset", str(train), lambda work: write_data(work, train), origin={})
    inputs = {"model": model, "teacher": teacher, "dataset": dataset}
    return TUNE.build(store, config, timeout=120, **inputs, **more)


@pytest.mark.parametrize("precision", ["int8", "int8_io"])
def test_a_tuned_file_says_what_it_was_made_of_and_what_it_gained(store, teacher, precision):
    messages = []
    result = tune(store, teacher, precision, on_progress=messages.append)
    untuned = build(store, teacher, precision)
    assert (result.variant, result.outputs) == (untuned.variant, untuned.outputs)
    assert result.digest != untuned.digest
    passport = read_passport(store.path(result, result.file))
    assert passport.precision == precision
    assert passport.tools["torch"] == version("torch")
    expected = {"onnx": "abc", "float32": teacher.digest, "untuned": untuned.digest}
    assert passport.ancestors == expected
    assert result.metrics["tuning.images"] == 3
    assert result.metrics["tuning.steps_apart"] <= 1
    assert result.metrics["tuning.loss_after"] <= result.metrics["tuning.loss_before"]
    assert "check.snr_db.cls_32" in result.metrics
    assert len(json.loads(store.path(result, LOSSES).read_text())) == ITERATIONS
    assert [m["completed"] for m in messages] == [1, 2, 3, 4]
    operators = [tflite_ops(store.path(file, file.file)) for file in (result, untuned)]
    assert operators[0] == operators[1]


def test_its_layers_are_measured_anew(store, teacher):
    tables = [
        json.loads(store.path(made, LAYERS).read_text())["layers"]
        for made in (build(store, teacher, "int8"), tune(store, teacher, "int8"))
    ]
    ratios = [[layer.pop("snr_db") for layer in table] for table in tables]
    assert tables[0] == tables[1]
    assert all(ratio > 0 for ratio in ratios[1])


def test_a_tuned_file_with_a_budget_says_what_it_loses(store, teacher):
    found = tune(
        store, teacher, "int8", config=CONFIG.model_copy(update={"accuracy_budget": LARGE})
    )
    untuned = build(store, teacher, "int8", budget=2 * LARGE)
    names = ("layers.total", "layers.float32", "layers.multiplications", "budget.loss_in_integers")
    assert all(found.metrics[name] == untuned.metrics[name] for name in names)
    assert 0 <= found.metrics["budget.loss"] <= LARGE == found.metrics["budget.allowed"]


def test_a_precision_with_other_integers_is_refused(store, teacher):
    with pytest.raises(ModelError) as refusal:
        tune(store, teacher, "int16x8")
    assert refusal.value.found == "mirror · onnx2tf · int16x8 is of precision int16x8"


def test_one_image_cannot_be_learnt_from_and_judged_by(store, teacher):
    with pytest.raises(DataError) as refusal:
        tune(store, teacher, "int8", train=1)
    assert refusal.value.found == "the data set has one training image"


def test_the_experiment_says_how_long_and_with_which_seed():
    training = {"quantised": True, "seed": 5, "tuning": {"iterations": 9}}
    experiment = Experiment.model_validate(
        {"name": "n", "dataset": {"kind": "digits"}, "training": training}
    )
    config = TuneConfig.of(experiment, "int8")
    assert (config.tuning.iterations, config.seed) == (9, 5)
    assert TUNE.key(config) != TUNE.key(CONFIG)


def test_only_int8_has_a_budget():
    experiment = Experiment.model_validate(
        {"name": "n", "dataset": {"kind": "digits"}, "variants": {"accuracy_budget": 0.5}}
    )
    found = [TuneConfig.of(experiment, name).accuracy_budget for name in ("int8", "int8_io")]
    assert found == [0.5, None]
