"""Which files the flow makes, and what it makes of a failure; the tasks stand in."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import detector_to_tflite as page
from flows import variants as helpers
from mmdet2tflite.config.experiment import Variants
from mmdet2tflite.processes.interruption import check_interruption
from mmdet2tflite.report.outcome import Outcome
from tests.flows.variant_tasks import (
    ALL,
    CONVERTERS,
    DATASET,
    MATRIX,
    MIRROR,
    ONNX,
    PRECISIONS,
    REPORT,
    SECONDS,
    STRATEGIES,
    Promise,
    Task,
    convert,
    experiment,
    measure,
    quantise,
    refuse,
    rewrite,
    runner,
    to_keras,
    tune,
)


@pytest.fixture
def outcomes(monkeypatch) -> Callable[..., list[Outcome]]:
    """The outcomes, with these tasks in place of those that succeed, on two threads."""

    def run(
        variants: Variants = MIRROR, quantised: bool = False, **tasks: Callable[..., object]
    ) -> list[Outcome]:
        usual = {
            "onnx_to_rewritten": rewrite,
            "rewritten_to_tflite": convert,
            "rewritten_to_keras": to_keras,
            "tflite_to_quantized": quantise,
            "tflite_to_tuned": tune,
            "model_to_report": measure,
        }
        monkeypatch.setattr(page, "side_by_side", runner)
        with ThreadPoolExecutor(max_workers=2) as threads:
            for name, function in {**usual, **tasks}.items():
                place = helpers if name == "model_to_report" else page
                monkeypatch.setattr(place, name, Task(function, threads))
            setup = experiment(variants, quantised=quantised)
            cells = page.variants(setup, ONNX, DATASET)
            return list(helpers.all_measured(setup, cells, REPORT, DATASET))

    return run


def names(found: list[Outcome]) -> list[tuple[str, ...]]:
    return [tuple(o.tags[name] for name in ("strategy", "converter", "precision")) for o in found]


def test_each_precision_is_made_of_the_float_file_and_measured_in_the_order_asked_for(outcomes):
    found = outcomes()
    assert [outcome.tags["precision"] for outcome in found] == list(PRECISIONS)
    assert [outcome.model.precision for outcome in found] == list(PRECISIONS)
    assert [outcome.variant for outcome in found] == [f"mirror · onnx2tf · {n}" for n in PRECISIONS]


def test_float32_comes_first_and_every_other_precision_is_compared_with_its_report(outcomes):
    compared = {}

    def remember(setup, model, dataset, source, float32=None):
        compared[model.strategy, model.converter, model.precision] = float32
        return measure(setup, model, dataset, source)

    asked = Variants(
        padding=("mirror", "widen"), precisions=("int8", "float32"), formats=("saved_model",)
    )
    outcomes(asked, model_to_report=remember)
    assert [precision for _, _, precision in compared] == ["float32", "int8"] * 2
    for (strategy, converter, precision), float32 in compared.items():
        variant = f"{strategy} · {converter} · float32"
        assert (float32 and float32.variant) == (None if precision == "float32" else variant)


def test_without_a_float32_report_other_precisions_are_measured_all_the_same(outcomes):
    def fail_for_float32(setup, model, dataset, source, float32=None):
        if model.precision == "float32":
            refuse()
        assert float32 is None
        return measure(setup, model, dataset, source)

    found = outcomes(model_to_report=fail_for_float32)
    assert [bool(outcome.failure) for outcome in found] == [True, False, False]


def test_the_rows_have_the_experiments_order_whatever_is_made_first(outcomes):
    last_made = threading.Event()

    def convert_the_first_one_last(setup, model, onnx, dataset, converter):
        if (model.strategy, converter) == (STRATEGIES[0], CONVERTERS[0]):
            assert last_made.wait(SECONDS)
        if (model.strategy, converter) == (STRATEGIES[-1], CONVERTERS[-1]):
            last_made.set()
        return convert(setup, model, onnx, dataset, converter)

    found = outcomes(MATRIX, rewritten_to_tflite=convert_the_first_one_last)
    assert names(found) == list(ALL)
    assert not any(outcome.failure for outcome in found)


def test_two_graphs_and_two_files_are_made_at_once(outcomes):
    graphs, files = (threading.Barrier(2, timeout=SECONDS) for _ in range(2))
    two = Variants(padding=("mirror", "widen"))
    assert len(outcomes(two, onnx_to_rewritten=together(graphs, rewrite))) == 2
    assert len(outcomes(two, rewritten_to_tflite=together(files, convert))) == 2


def together(others: threading.Barrier, function: Callable[..., object]) -> Callable[..., object]:
    def run(*args: object) -> object:
        others.wait()
        return function(*args)

    return run


def test_nothing_is_measured_before_all_files_are_made(outcomes):
    events = []

    def make(setup, model, dataset, name):
        events.append("made")
        return quantise(setup, model, dataset, name)

    def weigh(*args):
        events.append("measured")
        return measure(*args)

    outcomes(MATRIX, tflite_to_quantized=make, model_to_report=weigh)
    integers_and_halves = len(ALL) * 2 // 3
    assert events == ["made"] * integers_and_halves + ["measured"] * len(ALL)


@pytest.mark.parametrize("quantised", [False, True])
def test_files_of_integers_alone_are_tuned_where_the_training_is_quantised(outcomes, quantised):
    precisions = ("float32", "int8", "int8_io", "int16x8", "int8_dynamic")
    found = outcomes(Variants(padding=STRATEGIES, precisions=precisions), quantised)
    tuned = [outcome.tags["precision"] for outcome in found if "tuned" in outcome.model.metrics]
    assert tuned == (["int8", "int8_io"] * len(STRATEGIES) if quantised else [])


@pytest.mark.parametrize("task", ["tflite_to_quantized", "tflite_to_tuned"])
def test_a_file_that_cannot_be_quantised_or_tuned_has_its_reason(outcomes, task):
    found = outcomes(MIRROR, True, **{task: refuse})
    failures = {outcome.tags["precision"]: outcome.failure for outcome in found}
    assert "it cannot be done" in failures["int8"]
    assert bool(failures["float16"]) == (task == "tflite_to_quantized")
    assert not failures["float32"]


def test_what_auto_chose_is_left_out_where_it_is_there_already(outcomes):
    variants = Variants(padding=("explicit", "auto", "widen"))
    assert [row[0] for row in names(outcomes(variants))] == ["explicit", "widen"]
    assert [row[0] for row in names(outcomes(Variants(padding=("auto",))))] == ["explicit"]


def test_a_precision_that_fails_leaves_the_others(outcomes):
    def only_int8_fails(setup, model, dataset, name):
        return refuse() if name == "int8" else quantise(setup, model, dataset, name)

    found = outcomes(tflite_to_quantized=only_int8_fails)
    assert [bool(outcome.failure) for outcome in found] == [False, True, False]
    assert "it cannot be done" in found[1].failure
    assert found[1].variant == "mirror · onnx2tf · int8"


@pytest.mark.parametrize("task", ["onnx_to_rewritten", "rewritten_to_tflite", "model_to_report"])
def test_what_all_precisions_need_fails_for_all_of_them(outcomes, task):
    found = outcomes(**{task: refuse})
    assert [outcome.tags["precision"] for outcome in found] == list(PRECISIONS)
    assert all("it cannot be done" in outcome.failure for outcome in found)
    assert [bool(outcome.rewritten) for outcome in found] == [task != "onnx_to_rewritten"] * 3


def test_a_strategy_or_converter_that_fails_leaves_the_others(outcomes):
    def no_widen(setup, onnx, dataset, padding):
        return refuse() if padding == "widen" else rewrite(setup, onnx, dataset, padding)

    def not_with_openvino(setup, model, onnx, dataset, converter):
        if (model.strategy, converter) == ("mirror", "openvino"):
            refuse()
        return convert(setup, model, onnx, dataset, converter)

    found = outcomes(MATRIX, onnx_to_rewritten=no_widen, rewritten_to_tflite=not_with_openvino)
    assert names(found) == list(ALL)
    failed = [row for row, outcome in zip(ALL, found, strict=True) if outcome.failure]
    assert failed == [r for r in ALL if r[0] == "widen" or r[:2] == ("mirror", "openvino")]


def test_a_fault_of_ours_is_no_outcome(outcomes):
    def break_down(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outcomes(model_to_report=break_down)


def test_ctrl_c_while_files_are_made_ends_what_makes_them(outcomes, monkeypatch):
    ended = threading.Event()

    def convert_for_ever(*_):
        try:
            while not ended.wait(0.01):
                check_interruption()
        finally:
            ended.set()

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Promise, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        outcomes(rewritten_to_tflite=convert_for_ever)
    assert ended.is_set()


FORMATS = Variants(padding=("mirror", "explicit"), formats=("saved_model", "h5"))


def test_other_formats_are_made_of_each_strategys_graph_and_follow_the_tflite_files(outcomes):
    found = outcomes(FORMATS)
    assert [outcome.variant for outcome in found] == [
        "mirror · onnx2tf · float32",
        "explicit · onnx2tf · float32",
        "mirror · onnx2tf · float32 · saved_model",
        "mirror · onnx2tf · float32 · h5",
        "explicit · onnx2tf · float32 · saved_model",
        "explicit · onnx2tf · float32 · h5",
    ]
    formats = ["tflite", "tflite", "saved_model", "h5", "saved_model", "h5"]
    assert [outcome.tags["format"] for outcome in found] == formats
    assert all(outcome.rewritten.strategy == outcome.model.strategy for outcome in found)


def test_a_format_that_fails_is_a_row_of_its_own_name_and_leaves_the_others(outcomes):
    def no_h5_of_explicit(setup, model, onnx, dataset, name):
        if (model.strategy, name) == ("explicit", "h5"):
            refuse()
        return to_keras(setup, model, onnx, dataset, name)

    found = outcomes(FORMATS, rewritten_to_keras=no_h5_of_explicit)
    assert [bool(outcome.failure) for outcome in found] == [False] * 5 + [True]
    assert found[-1].variant == "explicit · onnx2tf · float32 · h5"
    assert found[-1].tags["format"] == "h5"
    assert "it cannot be done" in found[-1].failure
