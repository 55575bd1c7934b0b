"""Do the steps of LSTM, GRU and RNN compute what ONNX Runtime and PyTorch compute?"""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.passes.recurrent import GATES, MOST_STEPS, UnrollRecurrent
from tests.graph.passes.tiny import Done, apply, assert_same, build, node, run

STEPS, BATCH, INPUTS, SIZE = 6, 2, 5, 3
ROUNDING = 2e-6
IMAGE = np.random.default_rng(7).normal(size=(STEPS, BATCH, INPUTS)).astype(np.float32)


def recurrent(
    op_type: str,
    *,
    biased: bool = True,
    initial: str = "",
    outputs: tuple[str, ...] = ("y", "h", "c"),
    **how: object,
) -> onnx.ModelProto:
    """The operator on a sequence; ``initial``: its states are "constant" or "computed"."""
    random = np.random.default_rng(0)
    directions = 2 if how.get("direction") == "bidirectional" else 1
    rows = GATES[op_type] * SIZE
    shapes = {"w": (directions, rows, INPUTS), "r": (directions, rows, SIZE)}
    if biased:
        shapes["b"] = (directions, 2 * rows)
    states = ["h0", "c0"][: 2 if op_type == "LSTM" else 1]
    shapes |= {name: (directions, BATCH, SIZE) for name in states if initial}
    constants = {name: random.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    inputs = ["x", "w", "r", "b" if biased else "", ""]
    nodes = []
    if initial == "computed":
        nodes = [node("ReduceMax", ["x"], ["most"], axes=[0, 1, 2])]
        nodes += [node("Mul", [name, "most"], [f"{name}_"]) for name in states]
    inputs += [f"{name}_" if initial == "computed" else name for name in states if initial]
    while not inputs[-1]:
        inputs.pop()
    ends = outputs if op_type == "LSTM" else outputs[:2]
    nodes.append(node(op_type, inputs, ends, name="n", hidden_size=SIZE, **how))
    ranks = {name: 4 if name == "y" else 3 for name in ends if name}
    return build(nodes, constants, image=IMAGE.shape, outputs=ranks, opset=17)


def unroll(model: onnx.ModelProto) -> Done:
    done = apply(UnrollRecurrent, model)
    assert not set(done.ops) & set(GATES)
    return done


@pytest.mark.parametrize("op_type", list(GATES))
def test_the_end_of_one_direction_is_no_concat_of_one(op_type: str) -> None:
    done = unroll(recurrent(op_type))
    joined = [len(each.inputs) for each in done.model.graph if each.op_type == "Concat"]
    assert joined == [STEPS]


@pytest.mark.parametrize("initial", ["", "constant", "computed"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op_type", "how"),
    [
        ("LSTM", {}),
        ("GRU", {}),
        ("GRU", {"linear_before_reset": 1}),
        ("RNN", {}),
    ],
    ids=["LSTM", "GRU", "GRU, linear before reset", "RNN"],
)
def test_it_computes_the_same(
    op_type: str, how: dict, direction: str, biased: bool, initial: str
) -> None:
    model = recurrent(op_type, biased=biased, initial=initial, direction=direction, **how)
    assert_same(model, unroll(model).model, relative=ROUNDING, image=IMAGE)


def test_other_activations() -> None:
    for op_type, names in (
        ("RNN", ["Relu"]),
        ("GRU", ["Tanh", "Relu"]),
        ("LSTM", ["Sigmoid", "Relu", "Sigmoid"]),
    ):
        model = recurrent(op_type, activations=names)
        assert_same(model, unroll(model).model, relative=ROUNDING, image=IMAGE)


@pytest.mark.parametrize("read", ["y", "h", "c"])
def test_only_what_is_read_is_written(read: str) -> None:
    model = recurrent("LSTM", outputs=tuple(each if each == read else "" for each in "yhc"))
    assert_same(model, unroll(model).model, relative=ROUNDING, image=IMAGE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
def test_what_pytorch_exports_computes_what_pytorch_computes(
    kind: type, bidirectional: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = kind(INPUTS, SIZE, num_layers=2, bidirectional=bidirectional).eval()
    file = tmp_path / "model.onnx"
    image = torch.from_numpy(IMAGE)
    torch.onnx.export(module, image, file, dynamo=False, input_names=["x"], output_names=["y"])
    done = unroll(onnx.load(file))
    found = run(ir.to_proto(done.model), IMAGE)["y"]
    np.testing.assert_allclose(found, module(image)[0].detach().numpy(), atol=ROUNDING)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"clip": 3.0}, "LSTM n clips its gates"),
        ({"input_forget": 1}, "LSTM n couples its input and forget gates"),
        (
            {"activations": ["Softsign", "Tanh", "Tanh"]},
            "LSTM n has the activations Softsign, Tanh",
        ),
    ],
)
def test_what_is_not_written_is_refused_by_name(how: dict, reason: str) -> None:
    with pytest.raises(ModelError) as error:
        apply(UnrollRecurrent, recurrent("LSTM", **how))
    assert error.value.found.startswith(reason)
    assert error.value.remedy


def test_a_long_sequence_is_refused() -> None:
    model = recurrent("RNN", outputs=("y", ""))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = MOST_STEPS + 1
    with pytest.raises(ModelError, match=f"RNN n has {MOST_STEPS + 1} steps"):
        apply(UnrollRecurrent, model)
