"""What is said of the cost of other precisions."""

import pytest

from mmdet2tflite.report.precisions import accuracy_budget, find_costs


def row(precision, *loss, strategy="mirror", **metrics):
    """``loss``: the loss itself and the ends of its interval."""
    interval = dict(zip(("loss", "low", "high"), loss, strict=True)) if loss else {}
    return {
        "variant": f"{strategy} · onnx2tf · {precision}",
        "kind": "tflite",
        "strategy": strategy,
        "converter": "onnx2tf",
        "precision": precision,
        "metrics": metrics,
        "loss": {**interval, "confidence": 0.95, "images": 128} if loss else None,
    }


FLOAT32 = row("float32", map=0.5, size_mb=4.0, latency_ms=10.0)


def costs(*rows, budget=None):
    return find_costs([FLOAT32, *rows], budget)


def test_a_file_is_compared_with_float32_in_accuracy_size_and_time():
    (cost,) = costs(row("int8", 0.1, 0.08, 0.12, map=0.4, size_mb=1.0, latency_ms=4.0))
    assert (cost["map"], cost["loss"], cost["low"], cost["high"]) == (0.4, 0.1, 0.08, 0.12)
    assert (cost["size"], cost["latency"]) == (0.25, 0.4)
    assert (cost["chance"], cost["kept"]) == (False, None)
    assert cost["sentence"] == (
        "mirror · onnx2tf · int8 loses 10.0 mAP points against mirror · onnx2tf · float32, 8.0 to "
        "12.0 in 95% of the draws of 128 images."
    )


def test_an_interval_that_holds_zero_says_that_it_may_be_chance():
    (cost,) = costs(row("float16", 0.002, -0.004, 0.01, map=0.498))
    assert cost["chance"]
    assert cost["sentence"] == (
        "mirror · onnx2tf · float16 differs from mirror · onnx2tf · float32 by no more than chance "
        "does: it loses 0.2 mAP points, -0.4 to 1.0 in 95% of the draws of 128 images."
    )


def test_a_file_that_is_better_gains():
    (cost,) = costs(row("int8", -0.02, -0.03, -0.01, map=0.52))
    assert not cost["chance"]
    assert "int8 gains 2.0 mAP points against" in cost["sentence"]
    assert "1.0 to 3.0 in 95%" in cost["sentence"]


@pytest.mark.parametrize(
    ("score", "said"),
    [(0.26, "lower: cut at 0.26 as many"), (0.33, "higher: cut at 0.33 as many"), (0.305, "")],
)
def test_a_shift_of_the_scores_is_said_where_it_is_notable(score, said):
    metrics = {"map": 0.4, "parity.matching_score": score}
    (cost,) = costs(row("int8", 0.1, 0.1, 0.1, **metrics))
    assert said in cost["sentence"]
    assert ("Its scores are" in cost["sentence"]) is bool(said)


@pytest.mark.parametrize(("loss", "kept"), [(0.002, True), (0.0021, False), (-0.1, True)])
def test_a_loss_up_to_the_budget_is_kept(loss, kept):
    (cost,) = costs(row("int8", loss, loss, loss, map=0.5 - loss), budget=0.002)
    assert cost["kept"] is kept


def test_what_was_not_measured_has_no_cost():
    other_strategy = row("int8", 0.1, 0.1, 0.1, strategy="widen", map=0.4)
    assert costs(row("int8", map=0.4), row("int8"), other_strategy) == []
    (cost,) = costs(row("int8", 0.1, 0.1, 0.1, map=0.4))
    assert (cost["size"], cost["latency"]) == (None, None)


def test_the_budget_is_in_map_points_and_may_be_left_out():
    assert accuracy_budget({"variants": {"accuracy_budget": 0.5}}) == pytest.approx(0.005)
    assert accuracy_budget({"variants": {"accuracy_budget": None}}) is None
    assert accuracy_budget({"variants": {}}) is None
