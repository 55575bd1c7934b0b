"""The plan as JSON: what ``mmdet2tflite plan --json`` prints, window by window."""

import json

import onnx_ir as ir

from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.plan import describe_plan, make_plan
from mmdet2tflite.graph.strategies.table import STRATEGIES
from tests.graph.passes.tiny import build, integers, node


def plan():
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="strided", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("MaxPool", ["a"], ["y"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    model = ir.from_proto(build(nodes, {"w": integers(4, 2, 3, 3)}, image=(1, 2, 8, 12)))
    canonicalise(model)
    return describe_plan(make_plan(model))


def test_a_site_has_its_geometry_as_rows_and_columns():
    strided, pool = plan()["sites"]
    assert strided["operator"] == "Conv"
    assert strided["input"] == [8, 12]
    assert strided["output"] == [4, 6]
    assert strided["kernel"] == [3, 3]
    assert strided["stride"] == [2, 2]
    assert strided["pads"] == [[1, 1], [1, 1]]
    assert strided["effective_pads"] == [[1, 0], [1, 0]]
    assert strided["multiplications"] == 4 * 6 * 4 * 2 * 9
    assert (strided["same"], pool["same"]) == (False, True)


def test_every_strategy_says_what_it_would_do_with_a_site():
    strided, _ = plan()["sites"]
    padding_modes = {name: found["treatment"] for name, found in strided["strategies"].items()}
    assert padding_modes == {
        "auto": "widened",
        "explicit": "PAD",
        "mirror": "SAME",
        "mirror_rotated": "SAME",
        "widen": "widened",
        "engine": "forced SAME",
        "force_same": "forced SAME",
    }
    assert strided["strategies"]["widen"]["zero_taps"] == [[0, 1], [0, 1]]


def test_a_strategy_that_refuses_gives_its_reason_instead_of_numbers():
    strategies = plan()["strategies"]
    assert set(strategies) == set(STRATEGIES)
    assert "do not pad as TensorFlow's SAME does" in strategies["tf_train"]["refused"]
    assert "pads" not in strategies["tf_train"]
    others = {name: found["pads"] for name, found in strategies.items() if name != "tf_train"}
    assert others == {**dict.fromkeys(others, 0), "explicit": 1}


def test_inexact_strategies_are_marked():
    exact = {name for name, found in plan()["strategies"].items() if found["exact"]}
    assert exact == set(STRATEGIES) - {"force_same"}


def test_the_recommendation_is_what_auto_chose_and_all_of_it_is_json():
    found = plan()
    assert found["recommended"] == found["strategies"]["auto"]["chosen"]
    assert json.loads(json.dumps(found)) == found
