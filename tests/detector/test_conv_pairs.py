"""Is each convolution found again in a graph whose nodes have other names and another order?"""

import onnx_ir as ir
import pytest

from mmdet2tflite.detector.conv_pairs import last_convolutions, pair_convolutions
from mmdet2tflite.errors import ModelError
from tests.graph.passes.tiny import build, integers, node

IMAGE = (1, 2, 8, 12)
KERNELS = {"a": (4, 2), "b": (4, 4), "c": (4, 4), "d": (4, 8), "cls": (3, 4), "box": (4, 4)}
"""Output and input channels: two branches of one stem, joined, and two heads."""


def conv(name, source, result, **attributes):
    return node("Conv", [source, f"w_{name}"], [result], name=name, pads=[1, 1, 1, 1], **attributes)


def network(order="abcd", joined=("b", "c"), prefix="", tail=(), head="d_out", **kernels):
    """stem a → b → relu, a → c, joined → d → cls, box."""
    parts = {
        "a": [conv("a", "x", "a_out")],
        "b": [conv("b", "a_out", "b_raw"), node("Relu", ["b_raw"], ["b_out"])],
        "c": [conv("c", "a_out", "c_out")],
        "d": [
            node("Concat", [f"{name}_out" for name in joined], ["both"], axis=1),
            conv("d", "both", "d_out"),
        ],
    }
    nodes = [each for name in order for each in parts[name]]
    nodes += [conv("cls", head, "cls_out"), conv("box", head, "box_out"), *tail]
    weights = {f"w_{name}": integers(*shape, 3, 3) for name, shape in (KERNELS | kernels).items()}
    outputs = {"y": 4} if tail else {"cls_out": 4, "box_out": 4}
    proto = build(nodes, weights, image=IMAGE, outputs=outputs)
    for each in proto.graph.node:
        each.name = prefix + each.name
    return ir.from_proto(proto)


def names(pairs):
    return {(ours.name, theirs.name) for ours, theirs in pairs}


SAME = {(name, f"other_{name}") for name in KERNELS}


def test_names_and_order_do_not_matter():
    assert names(pair_convolutions(network(), network("acbd", prefix="other_"))) == SAME


def test_the_order_of_a_concatenation_matters():
    # b is followed by a Relu and c is not: which of them comes first in the other graph?
    swapped = network(joined=("c", "b"), prefix="other_")
    with pytest.raises(ModelError, match="stand where"):
        pair_convolutions(network(), swapped)


def test_what_follows_the_last_convolutions_does_not_matter():
    tail = [
        node("Sigmoid", ["cls_out"], ["scores"]),
        node("Concat", ["scores", "box_out"], ["y"], axis=1),
    ]
    assert names(pair_convolutions(network(), network(tail=tail, prefix="other_"))) == SAME


def test_the_last_convolutions_are_those_that_no_other_reads_from():
    assert [each.name for each in last_convolutions(network())] == ["cls", "box"]


def test_pads_do_not_matter():
    other = network(prefix="other_")
    for each in other.graph:
        if each.op_type == "Conv":
            each.attributes["pads"] = ir.AttrInt64s("pads", (0, 0, 2, 2))
    assert names(pair_convolutions(network(), other)) == SAME


@pytest.mark.parametrize(
    "changes", [{"cls": (5, 4)}, {"head": "c_out"}], ids=["other channels", "other input"]
)
def test_another_network_is_refused(changes):
    with pytest.raises(ModelError, match="stand where"):
        pair_convolutions(network(), network(**changes))


def test_a_network_with_more_convolutions_is_refused():
    more = network(tail=[conv("b", "box_out", "y")])
    with pytest.raises(ModelError, match="a network of 7 convolutions"):
        pair_convolutions(network(), more)


def test_two_that_cannot_be_told_apart_are_refused():
    twins = network(cls=(4, 4))
    with pytest.raises(ModelError, match="2 convolutions stand where"):
        pair_convolutions(twins, network(cls=(4, 4)))
