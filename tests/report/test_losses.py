"""What is said of files whose integers lose accuracy."""

import pytest

from mmdet2tflite.report.losses import SHOWN, describe_budgets, find_losses


def row(precision, strategy="mirror", converter="onnx2tf", **metrics):
    return {
        "variant": f"{strategy} · {converter} · {precision}",
        "kind": "tflite" if metrics else "",
        "strategy": strategy,
        "converter": converter,
        "precision": precision,
        "metrics": metrics,
    }


def layer(name, snr=30.0, source=40.0, share=None):
    return {
        "layer": name,
        "operator": "CONV_2D",
        "output": f"{name}/out",
        "snr_db": snr,
        "source_snr_db": source,
        "share": share,
        "float32": False,
    }


FLOAT32, INT8 = row("float32", map=0.5), row("int8", map=0.45)
TABLE = {"images": 8, "layers": [layer("a", 35, 200), layer("b", 12, 35), layer("c", 11, 12)]}
SHARES = {
    "images": 8,
    "layers": [
        layer("a", share=0.2),
        layer("b", share=0.1),
        {**layer("c", share=0.7), "float32": True},
    ],
}


def names(loss):
    return [entry["layer"] for entry in loss["layers"]]


def test_layers_are_ranked_by_the_shares_that_a_budget_had_measured():
    (loss,) = find_losses([FLOAT32, INT8], {INT8["variant"]: SHARES})
    assert (loss["variant"], loss["reference"]) == (INT8["variant"], FLOAT32["variant"])
    assert loss["loss"] == pytest.approx(0.05)
    assert names(loss) == ["c", "a", "b"]
    assert [entry["share"] for entry in loss["layers"]] == [0.7, 0.2, 0.1]
    assert [entry["float32"] for entry in loss["layers"]] == [True, False, False]
    assert loss["sentence"] == (
        "mirror · onnx2tf · int8 loses 5.0 mAP points against mirror · onnx2tf · float32. "
        "1 of its 3 layers makes 70% of the noise at the outputs."
    )


def test_so_many_layers_are_counted_as_make_half_of_the_noise():
    even = [layer(name, share=0.25) for name in "abcd"]
    (loss,) = find_losses([FLOAT32, INT8], {INT8["variant"]: {"layers": even}})
    assert "2 of its 4 layers make 50% of the noise" in loss["sentence"]


def test_without_shares_they_are_ranked_by_the_noise_they_add_to_what_they_read():
    (loss,) = find_losses([FLOAT32, INT8], {INT8["variant"]: TABLE})
    # Noise by signal: a 3e-4, b 0.063, c 0.079 - 0.063 = 0.016.
    assert names(loss) == ["b", "c", "a"]
    assert "variants.accuracy_budget measures what each does" in loss["sentence"]


def test_a_layer_whose_snr_is_unknown_comes_last():
    table = {"layers": [layer("x", None), layer("y", source=None), *TABLE["layers"]]}
    (loss,) = find_losses([FLOAT32, INT8], {INT8["variant"]: table})
    assert names(loss) == ["b", "c", "a", "x", "y"]


def test_only_the_worst_layers_are_shown():
    many = [layer(str(number), snr=30 + number, source=200) for number in range(SHOWN + 5)]
    (loss,) = find_losses([FLOAT32, INT8], {INT8["variant"]: {"layers": many}})
    assert names(loss) == [str(number) for number in range(SHOWN)]


@pytest.mark.parametrize(("found", "said"), [(0.4981, False), (0.4979, True), (0.51, False)])
def test_up_to_two_thousandths_may_be_lost_without_a_word(found, said):
    rows = [FLOAT32, row("int8", map=found)]
    assert bool(find_losses(rows, {INT8["variant"]: TABLE})) is said


def test_nothing_is_said_without_the_float32_file_or_a_measurement_or_a_table():
    tables = {INT8["variant"]: TABLE}
    assert find_losses([row("float32", "widen", map=0.5), INT8], tables) == []
    assert find_losses([row("float32"), INT8], tables) == []
    assert find_losses([FLOAT32, row("int8")], tables) == []
    assert find_losses([FLOAT32, INT8], {}) == []


LAYERS = {"layers.float32": 3.0, "layers.total": 12.0, "layers.multiplications": 0.046}
BUDGET = {"budget.loss_in_integers": 4.85, "budget.loss": 0.41}


def test_a_file_that_keeps_its_budget_is_compared_with_integers_alone():
    plain = row("int8_io", map=0.45, size_mb=1.0, latency_ms=4.0)
    kept = row("int8", map=0.499, size_mb=1.1, latency_ms=5.0, **LAYERS, **BUDGET)
    assert describe_budgets([plain, kept]) == [
        "mirror · onnx2tf · int8 has 3 of its 12 layers in float32, 4.6% of the multiplications: "
        "it loses an estimated 0.4 mAP points, in integers alone 4.8. Against "
        "mirror · onnx2tf · int8_io: +4.9 mAP points, +10% size, +25% latency."
    ]


def test_without_integers_alone_beside_it_it_is_not_compared():
    kept = row("int8", map=0.499, size_mb=1.1, **LAYERS, **BUDGET)
    (sentence,) = describe_budgets([row("int8_io", "widen", map=0.4, size_mb=1.0), kept])
    assert sentence.endswith("in integers alone 4.8.")


def test_what_was_not_measured_is_left_out():
    kept = row("int8", map=0.45, size_mb=1.1, **LAYERS, **BUDGET)
    (sentence,) = describe_budgets([row("int8_io", map=0.451, size_mb=1.1, latency_ms=1.0), kept])
    assert sentence.endswith("int8_io: -0.1 mAP points, +0% size.")


def test_a_file_that_keeps_its_budget_in_integers_says_so():
    kept = row("int8", map=0.45, **LAYERS | {"layers.float32": 0.0}, **BUDGET)
    (sentence,) = describe_budgets([kept])
    assert sentence == (
        "mirror · onnx2tf · int8 keeps its budget in integers: it loses "
        "an estimated 0.4 mAP points."
    )


def test_what_tuning_took_away_is_told_apart():
    tuned = row("int8", map=0.45, **LAYERS, **BUDGET, **{"tuning.loss_after": 0.02})
    (sentence,) = describe_budgets([tuned])
    assert sentence.endswith(
        "it loses an estimated 0.4 mAP points after tuning, in integers alone 4.8 before."
    )


@pytest.mark.parametrize(
    ("real", "said"),
    [(3.0, "in integers alone 4.8 before. That is more"), (0.0, "is of integers alone: it loses")],
)
def test_a_tuned_file_that_exceeds_its_budget_says_so(real, said):
    tuned = {"tuning.loss_after": 0.02, "budget.allowed": 0.4, "layers.float32": real}
    (sentence,) = describe_budgets([row("int8", map=0.45, **LAYERS | BUDGET | tuned)])
    assert said in sentence
    assert "That is more than its budget of 0.4: give training.tuning more" in sentence


def test_a_file_without_a_budget_is_not_described():
    assert describe_budgets([INT8]) == []
