"""Which file competes, and whether it may take the champion's place."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmdet2tflite.config.experiment import Promotion, Variants
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.evaluate.bootstrap import PairedBootstrap
from mmdet2tflite.evaluate.promotion import (
    check_possible,
    choose,
    decide,
    decide_first,
    refuse_classes,
)

CHAMPION = {"latency_ms": 10.0, "size_mb": 4.0}


def row(strategy="mirror", precision="float32", *, exact=True, kind="tflite", **metrics):
    values = {"map": 0.4, "map_change": 0.0, "latency_ms": 10.0, "size_mb": 4.0, **metrics}
    return {
        "variant": f"{strategy} {precision}",
        "kind": kind,
        "exact": exact,
        "strategy": strategy,
        "converter": "onnx2tf",
        "precision": precision,
        "metrics": values,
    }


def failed():
    return {**row("widen"), "metrics": {}, "kind": ""}


def difference(*values, first=0.40, second=0.41):
    return PairedBootstrap(first, second, np.array(values, float))


# --- choose --------------------------------------------------------------------------------------


def test_the_fastest_exact_file_that_keeps_the_accuracy_competes():
    rows = [
        row("PyTorch", kind="checkpoint", latency_ms=1.0),
        row("explicit", latency_ms=9.0),
        row("mirror", "int8", latency_ms=4.0, map_change=-0.009),
        row("mirror", "int8_io", latency_ms=3.0, map_change=-0.011),
        row("force_same", latency_ms=2.0, exact=False),
        failed(),
    ]
    assert choose(rows, Promotion())["variant"] == "mirror int8"


def test_where_none_keeps_the_accuracy_the_most_accurate_competes():
    rows = [row("a", map=0.30, map_change=-0.1), row("b", map=0.31, map_change=-0.09)]
    assert choose(rows, Promotion())["variant"] == "b float32"


def test_what_is_asked_for_competes_though_another_is_faster_and_though_it_is_inexact():
    rows = [
        row("explicit", latency_ms=9.0),
        row("force_same", "int8", exact=False, latency_ms=20.0),
        row("explicit", "int8", latency_ms=5.0),
    ]
    assert choose(rows, Promotion(precision="float32"))["variant"] == "explicit float32"
    assert choose(rows, Promotion(strategy="force_same"))["variant"] == "force_same int8"


def test_a_run_without_such_a_file_says_what_there_is():
    with pytest.raises(ConfigError) as caught:
        choose([row("explicit"), failed()], Promotion(precision="int8"))
    assert "(precision: int8); there are: explicit float32" in caught.value.found


@pytest.mark.parametrize(
    ("variants", "promotion", "message"),
    [
        ({"precisions": ["int8"]}, {"precision": "int8"}, ""),
        ({"padding": ["auto"]}, {"strategy": "widen"}, ""),
        ({"padding": ["mirror"]}, {"strategy": "widen"}, "strategy is widen, .* makes mirror"),
        ({}, {"precision": "int8"}, "precision is int8, and the experiment makes float32"),
        ({}, {"converter": "openvino"}, "converter is openvino, .* makes onnx2tf"),
    ],
)
def test_what_the_experiment_does_not_make_is_refused_before_anything_is_trained(
    variants, promotion, message
):
    given = Variants.model_validate(variants), Promotion.model_validate(promotion)
    if message:
        with pytest.raises(ConfigError, match=message):
            check_possible(*given)
    else:
        check_possible(*given)


# --- decide --------------------------------------------------------------------------------------


def kept(decision):
    return {check.rule: check.kept for check in decision.checks}


def test_a_candidate_that_keeps_every_rule_is_promoted():
    decision = decide(Promotion(), row(), CHAMPION, difference(0.01, 0.01))
    assert decision.promoted
    assert kept(decision) == dict.fromkeys(("accuracy", "latency", "size", "parity"), True)
    assert decision.sentence.startswith("promoted: mirror float32; mAP 0.4100 against")
    assert decision.numbers == pytest.approx(
        {
            "map": 0.41,
            "champion_map": 0.40,
            "map_difference": 0.01,
            "map_lower_bound": 0.01,
            "latency_ms_ratio": 1.0,
            "size_mb_ratio": 1.0,
        }
    )


@pytest.mark.parametrize(("worst", "promoted"), [(-0.0049, True), (-0.005, True), (-0.0051, False)])
def test_accuracy_is_judged_by_the_lower_bound_and_not_by_the_difference(worst, promoted):
    # 101 draws: the 5 % quantile is the sixth smallest
    draws = difference(*[-1.0] * 5, worst, *[0.1] * 95)
    decision = decide(Promotion(margin=0.005), row(), CHAMPION, draws)
    assert decision.promoted is promoted
    assert kept(decision)["accuracy"] is promoted
    if not promoted:
        expected = "with 95% confidence no worse than -0.0051, allowed is -0.0050 (101 draws"
        assert expected in decision.sentence


def test_a_higher_confidence_looks_at_worse_draws():
    draws = difference(*[-1.0] * 3, *[0.1] * 98)
    assert decide(Promotion(confidence=0.95), row(), CHAMPION, draws).promoted
    assert not decide(Promotion(confidence=0.99), row(), CHAMPION, draws).promoted


@pytest.mark.parametrize(
    ("metric", "rule", "highest", "too_high"),
    [("latency_ms", "latency", 12.0, 12.1), ("size_mb", "size", 4.8, 4.9)],
)
def test_latency_and_size_have_limits_of_their_own(metric, rule, highest, too_high):
    good = decide(Promotion(), row(**{metric: highest}), CHAMPION, difference(0.0))
    assert good.promoted
    bad = decide(Promotion(), row(**{metric: too_high}), CHAMPION, difference(0.0))
    assert [check.rule for check in bad.checks if not check.kept] == [rule]
    assert f"refused: mirror float32; {rule} {too_high:.2f} " in bad.sentence
    loose = Promotion(**{f"{rule}_ratio": 2.0})
    assert decide(loose, row(**{metric: too_high}), CHAMPION, difference(0.0)).promoted


@pytest.mark.parametrize(("change", "promoted"), [(0.02, True), (-0.01, True), (-0.0101, False)])
def test_parity_limits_what_was_lost_on_the_way_from_pytorch(change, promoted):
    candidate = row(map_change=change)
    assert decide(Promotion(), candidate, CHAMPION, difference(0.0)).promoted is promoted
    assert decide_first(Promotion(), candidate).promoted is promoted


def test_every_reason_of_a_refusal_is_told_and_what_was_kept_stands_in_the_table():
    decision = decide(Promotion(), row(latency_ms=30.0), CHAMPION, difference(-0.2, second=0.2))
    reasons = decision.sentence
    assert "mAP 0.2000 against the champion's 0.4000 (-0.2000)" in reasons
    assert "latency 30.00 ms against 10.00 ms: 3.00 times, allowed is 1.2" in reasons
    assert "size" not in reasons
    table = decision.markdown()
    assert "| accuracy | **no** |" in table
    assert "| size | yes | size 4.00 MB against 4.00 MB" in table


def test_the_first_champion_has_to_find_something():
    assert decide_first(Promotion(), row()).promoted
    nothing = decide_first(Promotion(), row(map=0.0))
    assert not nothing.promoted
    assert "there is no champion to compare with" in nothing.sentence


def test_a_champion_of_other_classes_refuses_by_name():
    decision = refuse_classes(row(), ("cat",), ("cat", "dog"))
    assert not decision.promoted
    assert "other classes (cat) than the data set (cat, dog)" in decision.sentence


def test_reports_on_different_images_are_not_compared(monkeypatch):
    from mmdet2tflite.evaluate import promotion

    loaded = iter([SimpleNamespace(detections={1: ()}), SimpleNamespace(detections={2: ()})])
    monkeypatch.setattr(promotion.Evaluated, "load", lambda path: next(loaded))
    store = SimpleNamespace(path=lambda report: report)
    with pytest.raises(ConfigError, match="measured on different images"):
        promotion.compare(store, None, None, None, Promotion())


def test_oriented_boxes_are_not_compared_with_upright_ones(monkeypatch):
    from mmdet2tflite.evaluate import promotion

    loaded = iter([SimpleNamespace(detections={1: ()}, oriented=kind) for kind in (False, True)])
    monkeypatch.setattr(promotion.Evaluated, "load", lambda path: next(loaded))
    store = SimpleNamespace(path=lambda report: report)
    with pytest.raises(ConfigError, match="one finds oriented boxes and the other upright"):
        promotion.compare(store, None, None, None, Promotion())
