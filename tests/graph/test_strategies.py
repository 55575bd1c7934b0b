"""What each strategy decides about a window operator, and the numbers that it then computes."""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.geometry import Widening
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.rewriting import PaddingMode, Rewriting, true_pads
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.passport import Rotation
from tests.graph.passes.tiny import build, integers, node, run

EVEN = (1, 2, 8, 12)
PYTORCH = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
"""Of a 3x3 kernel: effective pads (1, 0) on even sizes, where SAME has (0, 1)."""


def network(kind="Conv", image=EVEN, kernel=3, weights=None, **attributes):
    """One window ``y`` over the input ``x``."""
    if kind == "Conv":
        weights = integers(4, image[1], kernel, kernel) if weights is None else weights
        nodes = [node("Conv", ["x", "w"], ["y"], name="window", **attributes)]
        return build(nodes, {"w": weights}, image=image)
    attributes["kernel_shape"] = [kernel, kernel]
    return build([node(kind, ["x"], ["y"], name="window", **attributes)], image=image)


def rewritten(strategy, proto) -> Rewriting:
    model = ir.from_proto(proto)
    canonicalise(model)
    return STRATEGIES[strategy].rewrite(model)


def computed(rewriting: Rewriting, image) -> np.ndarray:
    """The output ``y``, rotated back."""
    if rewriting.rotation.input:
        image = np.ascontiguousarray(image[:, :, ::-1, ::-1])
    value = run(ir.to_proto(rewriting.model), image)["y"]
    return value[:, :, ::-1, ::-1] if "y" in rewriting.rotation.outputs else value


CASES = {
    "3x3 stride 2 on even sizes": (network(**PYTORCH), "PAD", "SAME", "widened"),
    "3x3 stride 2 on odd sizes": (network(image=(1, 2, 7, 9), **PYTORCH), "SAME", "SAME", "SAME"),
    "3x3 stride 1": (network(pads=[1, 1, 1, 1]), "SAME", "SAME", "SAME"),
    "1x1 stride 2 on even sizes": (network(kernel=1, strides=[2, 2]), "VALID", "VALID", "VALID"),
    "no padding": (network(), "VALID", "VALID", "VALID"),
    "too much padding": (network(pads=[2, 2, 2, 2]), "PAD", "PAD", "PAD"),
    "max pooling, 3x3 stride 2": (network("MaxPool", **PYTORCH), "PAD", "SAME", "PAD"),
    "average pooling, 3x3 stride 2": (network("AveragePool", **PYTORCH), "PAD", "SAME", "PAD"),
    "average pooling of zeros": (
        network("AveragePool", pads=[1, 1, 1, 1], count_include_pad=1),
        "PAD",
        "PAD",
        "PAD",
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("strategy", ["explicit", "mirror", "widen"])
def test_each_exact_strategy_treats_a_site_as_its_arithmetic_says(case, strategy):
    proto, *expected = CASES[case]
    (decision,) = rewritten(strategy, proto).decisions
    assert decision.padding_mode == expected[("explicit", "mirror", "widen").index(strategy)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("strategy", ["explicit", "mirror", "mirror_rotated", "widen", "auto"])
def test_exact_strategies_compute_the_very_same_integers(case, strategy):
    proto, *_ = CASES[case]
    image = integers(*EVEN if "odd" not in case else (1, 2, 7, 9))
    rewriting = rewritten(strategy, proto)
    if "average" in case:
        np.testing.assert_allclose(computed(rewriting, image), run(proto, image)["y"], rtol=1e-6)
    else:
        np.testing.assert_array_equal(computed(rewriting, image), run(proto, image)["y"])


def test_a_pad_that_stays_says_why():
    reasons = {
        name: rewritten("widen", proto).decisions[0].reason
        for name, (proto, *_) in CASES.items()
        if name.startswith(("too much", "max", "average"))
    }
    assert reasons == {
        "too much padding": "SAME has 8 rows of output, this has 10; no larger kernel changes that",
        "max pooling, 3x3 stride 2": (
            "SAME puts the padding elsewhere; a pooling cannot be widened with zeros"
        ),
        "average pooling, 3x3 stride 2": (
            "SAME puts the padding elsewhere; a pooling cannot be widened with zeros"
        ),
        "average pooling of zeros": (
            "TensorFlow's average pooling does not count padding, this one does; "
            "a pooling cannot be widened with zeros"
        ),
    }


def test_only_the_pads_that_windows_reach_are_written():
    (window,) = rewritten("explicit", network(**PYTORCH)).model.graph
    assert tuple(window.attributes["pads"].as_ints()) == (1, 1, 0, 0)


def test_widening_adds_a_last_row_and_column_of_zeros():
    weights = integers(4, 2, 3, 3)
    rewriting = rewritten("widen", network(weights=weights, **PYTORCH))
    (window,) = rewriting.model.graph
    wider = window.inputs[1].const_value.numpy()
    np.testing.assert_array_equal(wider[:, :, :3, :3], weights)
    assert wider.shape == (4, 2, 4, 4)
    assert not wider[:, :, 3].any()
    assert not wider[:, :, :, 3].any()
    (decision,) = rewriting.decisions
    assert decision.widening == (Widening(0, 1), Widening(0, 1))
    # 4 x 6 outputs of 4 channels, 2 input channels, 16 taps in place of 9.
    assert rewriting.extra_multiplications == 4 * 4 * 6 * 2 * (16 - 9)


def test_mirror_flips_the_kernel_and_rotates_input_and_output():
    weights = integers(4, 2, 3, 3)
    rewriting = rewritten("mirror", network(weights=weights, **PYTORCH))
    (window,) = rewriting.model.graph
    np.testing.assert_array_equal(window.inputs[1].const_value.numpy(), weights[:, :, ::-1, ::-1])
    assert window.attributes["auto_pad"].as_string() == "SAME_UPPER"
    assert rewriting.rotation == Rotation(input=True, outputs=("y",))
    assert rewriting.inner_flips == ()


def strided_shortcut():
    """1x1 with stride 2 beside 3x3 with stride 2: the first is SAME, flipped it is not."""
    constants = {"w": integers(4, 2, 3, 3), "s": integers(4, 2, 1, 1)}
    nodes = [
        node("Conv", ["x", "w"], ["a"], name="main", **PYTORCH),
        node("Conv", ["x", "s"], ["b"], name="shortcut", strides=[2, 2]),
        node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[1, 1], strides=[2, 2]),
        node("Add", ["a", "b"], ["c"], name="sum"),
        node("Concat", ["c", "p"], ["y"], name="all", axis=1),
    ]
    return build(nodes, constants, image=EVEN)


def test_a_flipped_crop_is_widened_in_a_convolution_and_sliced_before_a_pooling():
    rewriting = rewritten("mirror", strided_shortcut())
    found = {decision.window.name: decision for decision in rewriting.decisions}
    # Rows 0, 2, 4 … of an even size are, flipped, rows 1, 3, 5 …: the second tap of SAME 2x2.
    assert found["shortcut"].padding_mode == PaddingMode.WIDENED
    assert found["shortcut"].widening == (Widening(1, 0), Widening(1, 0))
    assert found["pool"].padding_mode == PaddingMode.CROPPED
    assert rewriting.pads == 0
    image = integers(*EVEN)
    wanted = run(strided_shortcut(), image)["y"]
    np.testing.assert_array_equal(computed(rewriting, image), wanted)


@pytest.mark.parametrize("strategy", ["force_same", "engine"])
def test_a_forced_convolution_is_same_and_computes_something_else(strategy):
    proto, image = network(**PYTORCH), integers(*EVEN)
    rewriting = rewritten(strategy, proto)
    (decision,) = rewriting.decisions
    assert (decision.padding_mode, rewriting.pads) == (PaddingMode.FORCED, 0)
    assert (computed(rewriting, image) != run(proto, image)["y"]).any()
    assert true_pads(rewriting) == {"window": (1, 0, 1, 0)}  # top, bottom, left, right


def test_engine_leaves_poolings_alone_and_force_same_does_not():
    padding_modes = {
        strategy: rewritten(strategy, network("MaxPool", **PYTORCH)).decisions[0].padding_mode
        for strategy in ("engine", "force_same")
    }
    assert padding_modes == {"engine": PaddingMode.PAD, "force_same": PaddingMode.FORCED}


def test_force_same_keeps_a_pad_where_same_has_another_number_of_outputs():
    assert rewritten("force_same", CASES["too much padding"][0]).pads == 1


def test_tf_train_takes_a_network_that_pads_right_and_bottom():
    pads = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    nodes = [
        node("Pad", ["x", "pads"], ["p"]),
        node("Conv", ["p", "w"], ["y"], name="window", strides=[2, 2]),
    ]
    proto = build(nodes, {"pads": pads, "w": integers(4, 2, 3, 3)}, image=EVEN)
    rewriting = rewritten("tf_train", proto)
    assert [decision.padding_mode for decision in rewriting.decisions] == [PaddingMode.SAME]
    image = integers(*EVEN)
    np.testing.assert_array_equal(computed(rewriting, image), run(proto, image)["y"])


def test_tf_train_refuses_an_ordinary_network_and_names_the_convolution():
    with pytest.raises(ModelError) as refusal:
        rewritten("tf_train", network(**PYTORCH))
    assert refusal.value.found == (
        "1 of 1 convolutions and poolings do not pad as TensorFlow's SAME does; the first is Conv "
        "window with pads 1, 1 (rows) and 1, 1 (columns)"
    )


def test_mirror_rotated_refuses_a_graph_that_must_rotate_maps_back_inside():
    shape = np.array([1, -1])
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="window", **PYTORCH),
        node("Reshape", ["c", "shape"], ["y"], name="flatten"),
    ]
    constants = {"w": integers(4, 2, 3, 3), "shape": shape}
    proto = build(nodes, constants, image=EVEN, outputs={"y": 2})
    assert len(rewritten("mirror", proto).inner_flips) == 1
    with pytest.raises(ModelError, match=r"must rotate maps back inside: .*flatten"):
        rewritten("mirror_rotated", proto)


@pytest.mark.parametrize(
    ("proto", "chosen"),
    [
        (network(pads=[1, 1, 1, 1]), "explicit"),
        # Depthwise: 7 zero taps for each of 48 outputs, against 192 + 48 values to rotate.
        (network(weights=integers(2, 1, 3, 3), group=2, **PYTORCH), "widen"),
        # Dense: 7 · 64 for each of 768 outputs, against 6,144 + 768 values to rotate.
        (network(weights=integers(32, 64, 3, 3), image=(1, 64, 8, 12), **PYTORCH), "mirror"),
        (network("MaxPool", **PYTORCH), "mirror"),
    ],
    ids=["nothing to do", "few multiplications", "many multiplications", "pooling"],
)
def test_auto_takes_the_cheapest_and_gives_its_reasons(proto, chosen):
    rewriting = rewritten("auto", proto)
    assert rewriting.chosen == chosen
    assert [reason.split(":")[0] for reason in rewriting.reasons] == ["explicit", "widen", "mirror"]
