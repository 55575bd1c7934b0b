"""What is said of integer files that are hardly faster than float32."""

import pytest

from mmdet2tflite.report.times import SHOWN, find_times


def row(precision, latency, strategy="mirror"):
    return {
        "variant": f"{strategy} {precision}",
        "kind": "tflite",
        "strategy": strategy,
        "converter": "onnx2tf",
        "precision": precision,
        "metrics": {"map": 0.5, "latency_ms": latency},
    }


def layer(name, milliseconds, operator="CONV_2D"):
    return {
        "layer": name,
        "operator": operator,
        "shape": [1, 8, 8, 4],
        "milliseconds": milliseconds,
    }


FLOAT32 = row("float32", 5.0)
REAL = [layer("stem", 1.0), layer("head", 2.0), layer("sigmoid", 2.0, "LOGISTIC")]
INTEGER = [
    layer("in", 0.25, "QUANTIZE"),
    layer("stem", 3.0),
    layer("head", 1.0),
    layer("sigmoid", 0.5, "LOGISTIC"),
]
TABLES = {"mirror float32": REAL, "mirror int8": INTEGER}


def test_a_file_that_takes_more_than_six_tenths_of_the_time_is_named_with_its_ratio():
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], TABLES)
    assert (slow["variant"], slow["reference"]) == ("mirror int8", "mirror float32")
    assert slow["ratio"] == pytest.approx(0.9)


@pytest.mark.parametrize(("latency", "named"), [(2.9, 0), (3.0, 0), (3.1, 1)])
def test_a_file_within_six_tenths_is_not_named(latency, named):
    assert len(find_times([FLOAT32, row("int8", latency)], TABLES)) == named


def test_layers_are_ranked_by_what_exceeds_six_tenths_of_their_float32_time():
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], TABLES)
    found = [(each["layer"], each["float32"], each["excess"]) for each in slow["layers"]]
    assert found == [
        ("stem", 1.0, pytest.approx(2.4)),
        ("in", None, pytest.approx(0.25)),  # float32 has no such layer
        ("head", 2.0, pytest.approx(-0.2)),
        ("sigmoid", 2.0, pytest.approx(-0.7)),
    ]


def test_kinds_of_operators_are_summed_the_slowest_first():
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], TABLES)
    assert list(slow["operators"].items()) == [
        ("CONV_2D", {"own": 4.0, "float32": 3.0}),
        ("LOGISTIC", {"own": 0.5, "float32": 2.0}),
        ("QUANTIZE", {"own": 0.25, "float32": 0.0}),
    ]


def test_the_sentence_says_how_much_is_no_faster_and_which_layer_is_first():
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], TABLES)
    # The stem's 3 ms of 4.75; QUANTIZE has nothing to compare with.
    assert slow["sentence"] == (
        "mirror int8 takes 0.90 of the time of mirror float32. 1 of its 4 operators, 63% of its "
        "time, are no faster than in float32. The first in the way is stem (CONV_2D): 3.00 ms, "
        "1.00 ms in float32."
    )


def test_a_layer_of_the_same_name_and_another_kind_is_another_layer():
    tables = {**TABLES, "mirror int8": [layer("stem", 1.0, "QUANTIZE"), *INTEGER[1:]]}
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], tables)
    assert [(e["operator"], e["float32"]) for e in slow["layers"][:2]] == [
        ("CONV_2D", 1.0),
        ("QUANTIZE", None),
    ]


@pytest.mark.parametrize(
    ("name", "of_float32"),
    [
        ("head_quantised", "head"),
        ("head_quantised", "head_rotated"),
        ("head", "head_rotated"),
        ("input_quantized_wide_rotated", "input_rotated"),
    ],
)
def test_a_layer_that_writes_an_output_is_the_same_whatever_comes_behind_it(name, of_float32):
    tables = {"mirror float32": [layer(of_float32, 2.0)], "mirror int8": [layer(name, 1.5)]}
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], tables)
    assert [(each["layer"], each["float32"]) for each in slow["layers"]] == [(name, 2.0)]


def test_only_so_many_layers_are_listed():
    many = [layer(f"l{number}", 1.0) for number in range(2 * SHOWN)]
    tables = {**TABLES, "mirror int8": many}
    (slow,) = find_times([FLOAT32, row("int8", 4.5)], tables)
    assert len(slow["layers"]) == SHOWN


def test_only_files_with_integer_activations_are_looked_at():
    tables = {**TABLES, "mirror float16": REAL}
    assert find_times([FLOAT32, row("float16", 5.0)], tables) == []


def test_without_a_float32_file_of_the_same_strategy_nothing_is_said():
    assert find_times([row("float32", 5.0, "widen"), row("int8", 4.5)], TABLES) == []
    assert find_times([FLOAT32], TABLES) == []


def test_a_file_of_which_no_operator_runs_by_itself_is_passed_over():
    assert find_times([FLOAT32, row("int8", 4.5)], {**TABLES, "mirror int8": []}) == []
