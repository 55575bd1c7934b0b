"""Who takes part in a benchmark, and what becomes of those that fail; the tasks stand in."""

from collections.abc import Callable

import pytest

from benchmarks.conversion import contestants
from benchmarks.conversion.contestants import CONTESTANTS, enter
from benchmarks.conversion.entry import Entry
from benchmarks.conversion.recipes import RECIPES
from mmdet2tflite.artifacts import (
    Dataset,
    OnnxModel,
    OpenvinoModel,
    Report,
    RewrittenModel,
    Split,
    TfliteModel,
)
from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Rotation
from tests.evaluate.constant_network import HEAD, PREPROCESSING

MODEL = {"head": HEAD, "preprocessing": PREPROCESSING, "outputs": ()}
ONNX = OnnxModel(**MODEL, opset=13, digest="onnx")
ONNX_REPORT = Report(runtime="", variant="", model="onnx")
SPLIT = Split(annotations="", image_root="", images=0, boxes=0, images_digest="")
DATASET = Dataset(classes=("cat",), train=SPLIT, val=SPLIT)
EXPERIMENT = Experiment(name="test", dataset=DigitsData(kind="digits"))


def tflite(strategy: str, precision: str) -> TfliteModel:
    return TfliteModel(**MODEL, strategy=strategy, exact=True, converter="x", precision=precision)


def refuse(*_: object) -> None:
    raise ModelError("it cannot be done")


@pytest.fixture
def run(monkeypatch) -> Callable[..., list[Entry]]:
    """The entries, with these tasks in place of those that succeed."""

    def rewrite(experiment, onnx, dataset, padding):
        rotation = Rotation()
        return RewrittenModel(
            **MODEL, strategy=padding, exact=True, pads=0, rotation=rotation, upright=True
        )

    def convert(experiment, rewritten, onnx, dataset, converter):
        assert (onnx, converter) == (ONNX, "onnx2tf")
        return tflite(rewritten.strategy, "float32")

    def quantise(experiment, model, dataset, precision):
        assert model.precision == "float32"
        return model.model_copy(update={"precision": precision})

    def measure(experiment, model, dataset, reference):
        assert (dataset, reference) == (DATASET, ONNX_REPORT)
        return Report(runtime="", variant="", model=model.digest)

    usual = {
        "onnx_to_rewritten": rewrite,
        "rewritten_to_tflite": convert,
        "tflite_to_quantized": quantise,
        "tflite_to_tuned": lambda *_: tflite("tuned", "int8"),
        "onnx_to_stock": lambda experiment, onnx, dataset, recipe: tflite("stock", recipe),
        "onnx_to_openvino": lambda *_: OpenvinoModel(**MODEL),
        "model_to_report": measure,
    }

    def call(experiment: Experiment = EXPERIMENT, **tasks: object) -> list[Entry]:
        for name, task in {**usual, **tasks}.items():
            monkeypatch.setattr(contestants, name, task)
        return list(enter(experiment, ONNX, ONNX_REPORT, DATASET))

    return call


def test_the_base_is_the_float_file_that_onnx2tf_makes_by_default(run):
    base = run()[0]
    assert (base.name, base.command) == ("onnx2tf float32", "onnx2tf -i model.onnx -o out")
    assert base.model.precision == "onnx2tf_float32"


def test_our_files_are_of_the_cheapest_exact_strategy(run):
    ours = [entry for entry in run() if entry.name.startswith("mmdet2tflite")]
    assert [(entry.model.strategy, entry.model.precision) for entry in ours] == [
        ("auto", "float32"),
        ("auto", "int8"),
    ]


def test_our_int8_file_is_tuned_if_the_experiment_says_so(run):
    training = EXPERIMENT.training.model_copy(update={"quantised": True})
    entries = run(EXPERIMENT.model_copy(update={"training": training}))
    assert [e.model.strategy for e in entries if e.name == "mmdet2tflite int8"] == ["tuned"]


def test_every_stock_file_and_every_runtime_takes_part(run):
    entries = run()
    stock = {e.model.precision for e in entries if getattr(e.model, "strategy", "") == "stock"}
    assert stock == set(RECIPES)
    kinds = [entry.model.kind for entry in entries]
    assert (kinds.count("onnx"), kinds.count("openvino")) == (1, 1)
    assert len({entry.name for entry in entries}) == len(CONTESTANTS)


def test_a_tool_that_fails_is_an_entry_with_its_reason_and_the_next_follows(run):
    entries = run(onnx_to_openvino=refuse, tflite_to_quantized=refuse)
    failed = {entry.name: entry for entry in entries if entry.failure}
    assert failed.keys() == {"mmdet2tflite int8", "OpenVINO float32"}
    assert "it cannot be done" in failed["OpenVINO float32"].failure
    assert failed["OpenVINO float32"].model is None
    assert len(entries) == len(CONTESTANTS)


def test_a_file_that_cannot_be_evaluated_is_not_timed(run):
    def measure(experiment, model, dataset, reference):
        if getattr(model, "precision", "") == "onnx2tf_float16":
            refuse()
        return Report(runtime="", variant="", model="")

    entry = next(e for e in run(model_to_report=measure) if e.name == "onnx2tf float16")
    assert entry.failure
    assert entry.model is None


def test_without_the_base_there_is_nothing_to_compare_with(run):
    with pytest.raises(ModelError, match="it cannot be done"):
        run(onnx_to_stock=refuse)
