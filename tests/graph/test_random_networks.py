"""Whatever the network: the canonical form and every exact strategy compute what it computed.

Some 2,000 random networks, each against ONNX Runtime on the model as it was exported.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import HealthCheck, given, seed, settings

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.graph.rewriting import Rewriting, Strategy
from mmdet2tflite.graph.strategies.table import STRATEGIES
from tests.graph.networks import OPSETS, Network, networks, run
from tests.graph.right_poolings import with_right_poolings

NETWORKS_PER_OPSET = 460
"""More than 400 different ones: hypothesis draws a few of them twice."""
ROUNDING = 1e-5
"""Of the largest number in an output, where float32 has to round: some hundred of its steps."""

EXACT = {name: strategy for name, strategy in STRATEGIES.items() if strategy.exact_in_onnx}
REASONS = {
    "mirror_rotated": ("the graph must rotate maps back inside: ",),
    "tf_train": ("do not pad as TensorFlow's SAME does; ",),
}
"""What a strategy may refuse, as its module says; nothing else may be refused at all."""

WINDOW = ("kernel_shape", "strides", "dilations")

type Outputs = dict[str, np.ndarray]


@pytest.mark.parametrize(
    "opset",
    [opset if opset == 13 else pytest.param(opset, marks=pytest.mark.long) for opset in OPSETS],
)
def test_random_networks_compute_the_same_in_every_exact_form(opset: int, tmp_path: Path) -> None:
    drawn: set[bytes] = set()
    refused: Counter[str] = Counter()

    @seed(opset)
    @settings(
        max_examples=NETWORKS_PER_OPSET,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(networks([opset]))
    def check(network: Network) -> None:
        drawn.add(network.model.SerializeToString())
        wanted = run(with_right_poolings(network.model), network.image)
        model = _load_canonical(network, tmp_path / "network.onnx")
        _assert_canonical(model, network)
        _assert_equal(run(_runnable(model), network.image), wanted, network, "canonical")
        pads: dict[str, int] = {}
        computed: dict[tuple[bytes, bool], Outputs] = {}
        for name, strategy in EXACT.items():
            rewriting = _rewrite(name, strategy, model)
            if rewriting is None:
                refused[name] += 1
                continue
            _assert_equal(_run_unrotated(rewriting, network.image, computed), wanted, network, name)
            _assert_written_out(rewriting, name)
            pads[name] = rewriting.pads
        _assert_no_pad_more_than(pads, "explicit", ("widen", "auto"))

    check()
    assert len(drawn) >= 400
    assert refused["mirror_rotated"] <= 0.2 * len(drawn)


def _load_canonical(network: Network, file: Path) -> ir.Model:
    onnx.save(network.model, file)
    model = load_model(file)
    canonicalise(model)
    return model


def _assert_canonical(model: ir.Model, network: Network) -> None:
    """As ``canonicalise`` promises in its numbered rules."""
    graph = model.graph
    assert [value.name for value in graph.inputs] == ["image"]
    assert [value.name for value in graph.outputs] == list(network.exact)
    for node in graph:
        assert all(value.shape is not None and value.shape.is_static() for value in node.outputs)
        assert node.op_type not in ("BatchNormalization", "Constant")
        assert node.op_type != "Identity" or node.outputs[0].is_graph_output()
        assert "auto_pad" not in node.attributes
    names = [node.name for node in graph]
    assert all(names)
    assert len(set(names)) == len(names)


def _rewrite(name: str, strategy: Strategy, model: ir.Model) -> Rewriting | None:
    """None where the strategy refuses for one of its reasons."""
    try:
        return strategy.rewrite(model.clone())
    except ModelError as error:
        if any(reason in error.found for reason in REASONS.get(name, ())):
            return None
        raise


def _run_unrotated(
    rewriting: Rewriting, image: np.ndarray, computed: dict[tuple[bytes, bool], Outputs]
) -> Outputs:
    """``computed``: by strategies before, some of which write the same graph."""
    rotation = rewriting.rotation
    model = _runnable(rewriting.model)
    key = model.SerializeToString(), rotation.input
    if key not in computed:
        computed[key] = run(model, _turn(image) if rotation.input else image)
    return {
        name: _turn(value) if name in rotation.outputs else value
        for name, value in computed[key].items()
    }


def _turn(maps: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(maps[:, :, ::-1, ::-1])


def _runnable(model: ir.Model) -> onnx.ModelProto:
    """SAME_UPPER as pads, by TensorFlow's formula, where ONNX Runtime has another idea of it.

    It refuses SAME for dilated windows, and gives poolings negative pads if the stride exceeds the
    kernel.
    """
    proto = ir.to_proto(model)
    for node, written in zip(model.graph, proto.graph.node, strict=True):
        mode = node.attributes.get("auto_pad")
        if mode is None or mode.as_string() != "SAME_UPPER":
            continue
        kernel, stride, dilation = (_numbers(node, name) for name in WINDOW)
        if max(dilation) == 1 and (node.op_type == "Conv" or min(kernel) >= max(stride)):
            continue
        pairs = zip(node.inputs[0].shape[2:], kernel, stride, dilation, strict=True)
        totals = [max((k - 1) * d + 1 - (size % s or s), 0) for size, k, s, d in pairs]
        pads = [total // 2 for total in totals] + [total - total // 2 for total in totals]
        same = next(each for each in written.attribute if each.name == "auto_pad")
        same.CopyFrom(onnx.helper.make_attribute("pads", pads))
    return proto


def _numbers(node: ir.Node, name: str) -> tuple[int, ...]:
    if name == "kernel_shape" and node.op_type == "Conv":
        return tuple(node.inputs[1].shape[2:])
    attribute = node.attributes.get(name)
    return (1, 1) if attribute is None else tuple(attribute.as_ints())


def _assert_equal(got: Outputs, wanted: Outputs, network: Network, form: str) -> None:
    """Bit by bit where no order of the sums makes a difference, else within rounding."""
    assert list(got) == list(wanted), form
    for name, value in wanted.items():
        if network.exact[name]:
            np.testing.assert_array_equal(got[name], value, f"{name} of {form}")
        else:
            tolerance = ROUNDING * float(np.abs(value).max())
            np.testing.assert_allclose(
                got[name], value, rtol=0, atol=tolerance, err_msg=f"{name} of {form}"
            )


def _assert_written_out(rewriting: Rewriting, form: str) -> None:
    """Every window is VALID, SAME_UPPER, or has pads that become one PAD each."""
    pads = 0
    for node in rewriting.model.graph:
        given = node.attributes.get("pads")
        padded = given is not None and any(given.as_ints())
        if node.op_type in ("Conv", "MaxPool", "AveragePool"):
            mode = node.attributes.get("auto_pad")
            assert mode is None or (mode.as_string() == "SAME_UPPER" and not padded), form
            # TensorFlow's SAME averages over what is there, so zeros are never counted.
            counts = node.attributes.get("count_include_pad")
            assert mode is None or counts is None or not counts.as_int(), form
        else:
            mode = node.attributes.get("mode")  # edges are copied by slices and concatenations
            padded = node.op_type == "Pad" and (mode is None or mode.as_string() != "edge")
        pads += padded
    assert rewriting.pads == pads, form


def _assert_no_pad_more_than(pads: dict[str, int], base: str, others: tuple[str, ...]) -> None:
    for name in others:
        assert pads[name] <= pads[base], name
