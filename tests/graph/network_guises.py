"""One network in many guises: other inputs, other outputs, other names, as strangers' files have.

Every guise changes a model in place, and what is fed to it; the old outputs keep their values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TOKENS = 5
OLD_IR = 3


@dataclass
class Guise:
    """A model that is being changed.

    Args:
        model: its input is called ``image`` at first.
        feeds: inputs by name.
        exact: per output, whether float32 computes it exactly however it is computed.
        done: names of what was changed.
    """

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]
    exact: dict[str, bool]
    done: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def graph(self) -> onnx.GraphProto:
        return self.model.graph

    @property
    def opset(self) -> int:
        return self.model.opset_import[0].version

    def constant(self, array: np.ndarray) -> str:
        name = f"guise_{next(self.numbers)}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def first(self, *nodes: onnx.NodeProto) -> None:
        """These nodes before all others."""
        others = list(self.graph.node)
        del self.graph.node[:]
        self.graph.node.extend([*nodes, *others])

    def input_is(self, value: onnx.ValueInfoProto, feed: np.ndarray) -> None:
        """The input ``image`` is another one now; what ``image`` was is computed."""
        rename(self.graph, "image", "pixels")
        self.graph.input[0].CopyFrom(value)
        del self.feeds["image"]
        self.feeds[value.name] = feed

    def output(self, name: str, kind: int, shape: list[int | None] | None, exact: bool) -> None:
        self.graph.output.append(helper.make_tensor_value_info(name, kind, shape))
        self.exact[name] = exact

    def computed(self) -> dict[str, bool]:
        """The outputs that are maps of float32, and whether they are exact."""
        written = {name for node in self.graph.node for name in node.output}
        return {name: exact for name, exact in self.exact.items() if name in written}


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Give a value another name, in the bodies of loops and branches, too."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename(attribute.g, old, new)
    for value in (*graph.input, *graph.output, *graph.initializer):
        if value.name == old:
            value.name = new


def channels_last(guise: Guise, random: np.random.Generator) -> None:
    """N x H x W x C, as TensorFlow's exporters write it."""
    image = guise.feeds["image"].transpose(0, 2, 3, 1).copy()
    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, image.shape)
    guise.input_is(value, image)
    guise.first(helper.make_node("Transpose", ["image"], ["pixels"], perm=[0, 3, 1, 2]))


def bytes_(guise: Guise, random: np.random.Generator) -> None:
    """Pixels as they are, of 8 bits."""
    image = np.abs(guise.feeds["image"]).astype(np.uint8)
    guise.input_is(helper.make_tensor_value_info("image", TensorProto.UINT8, image.shape), image)
    cast = helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT)
    scale = guise.constant(np.float32(2**-6))
    guise.first(cast, helper.make_node("Mul", ["numbers", scale], ["pixels"]))
    guise.exact = dict.fromkeys(guise.exact, False)


def other_rank(guise: Guise, random: np.random.Generator) -> None:
    """All in a row, or with one axis more."""
    image = guise.feeds["image"]
    n, c, h, w = image.shape
    shape = [(n, c * h * w), (n, c, h * w), (n, 1, c, h, w), (n, c * h, w)][random.integers(4)]
    guise.input_is(
        helper.make_tensor_value_info("image", TensorProto.FLOAT, shape), image.reshape(shape)
    )
    sides = guise.constant(np.array(image.shape, np.int64))
    guise.first(helper.make_node("Reshape", ["image", sides], ["pixels"]))


def tokens(guise: Guise, random: np.random.Generator) -> None:
    """A second input of integers that pick a row of a table, which is added to every pixel."""
    channels = guise.feeds["image"].shape[1]
    image = onnx.ValueInfoProto()
    image.CopyFrom(guise.graph.input[0])
    guise.input_is(image, guise.feeds["image"])
    kind = [np.int64, np.int32][random.integers(2)]
    token = random.integers(0, TOKENS, 1).astype(kind)
    guise.feeds["token"] = token
    guise.graph.input.append(
        helper.make_tensor_value_info("token", helper.np_dtype_to_tensor_dtype(token.dtype), [1])
    )
    table = guise.constant(random.integers(-2, 3, (TOKENS, channels)).astype(np.float32))
    sides = guise.constant(np.array([1, channels, 1, 1], np.int64))
    guise.first(
        helper.make_node("Gather", [table, "token"], ["row"], axis=0),
        helper.make_node("Reshape", ["row", sides], ["shift"]),
        helper.make_node("Add", ["image", "shift"], ["pixels"]),
    )
    guise.exact = dict.fromkeys(guise.exact, False)


def constant_as_input(guise: Guise, random: np.random.Generator) -> None:
    """A constant of some sum or product, or a bias, is given from outside."""
    users = ("Add", "Mul", "Sub", "Max", "MatMul")
    read = {name for node in guise.graph.node if node.op_type in users for name in node.input}
    found = [t for t in guise.graph.initializer if t.name in read and t.data_type == 1]
    if not found:
        return
    tensor = found[random.integers(len(found))]
    array = numpy_helper.to_array(tensor)
    guise.graph.initializer.remove(tensor)
    guise.feeds[tensor.name] = array
    guise.graph.input.append(
        helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, array.shape)
    )


def tapped(guise: Guise, random: np.random.Generator) -> None:
    """A value inside is an output, too, and is read on."""
    names = [
        node.output[0]
        for node in guise.graph.node
        if node.op_type in ("Conv", "Relu", "Add", "Concat", "MaxPool", "Mul", "Clip", "Transpose")
        and node.output[0] not in guise.exact
    ]
    for name in random.permutation(names)[: random.integers(1, 3)]:
        guise.output(str(name), TensorProto.FLOAT, None, False)


def activated(guise: Guise, random: np.random.Generator) -> None:
    """Behind an output stands an activation, which is an output as well."""
    for name, exact in list(guise.computed().items())[:2]:
        op = str(random.choice(["Relu", "Sigmoid", "Neg", "Tanh"]))
        guise.graph.node.append(helper.make_node(op, [name], [f"{name}_{op}"]))
        guise.output(f"{name}_{op}", TensorProto.FLOAT, None, exact and op in ("Relu", "Neg"))


def equal(guise: Guise, random: np.random.Generator) -> None:
    """One value under two names."""
    name, exact = list(guise.computed().items())[-1]
    guise.graph.node.append(helper.make_node("Identity", [name], [f"{name}_again"]))
    guise.output(f"{name}_again", TensorProto.FLOAT, None, exact)


def integers(guise: Guise, random: np.random.Generator) -> None:
    """Positions, truths and bytes, where no rounding decides them."""
    exact = [name for name, is_exact in guise.computed().items() if is_exact]
    if not exact:
        return
    name = exact[random.integers(len(exact))]
    kind = random.integers(4)
    if kind == 0:
        axis, keep = int(random.integers(-2, 2)), int(random.integers(2))
        node = helper.make_node("ArgMax", [name], ["place"], axis=axis, keepdims=keep)
        guise.graph.node.append(node)
        guise.output("place", TensorProto.INT64, None, True)
    elif kind == 1:
        zero = guise.constant(np.float32(0))
        guise.graph.node.append(helper.make_node("Greater", [name, zero], ["truth"]))
        guise.output("truth", TensorProto.BOOL, None, True)
    else:
        to = [TensorProto.INT32, TensorProto.INT64][kind - 2]
        guise.graph.node.append(helper.make_node("Cast", [name], ["whole"], to=to))
        guise.output("whole", to, None, False)


def constant_output(guise: Guise, random: np.random.Generator) -> None:
    """One output has nothing to do with the input."""
    shape = [(3,), (1, 2, 4), (1, 2, 3, 4), ()][random.integers(4)]
    array = random.integers(-3, 4, shape).astype([np.float32, np.int64][random.integers(2)])
    name = guise.constant(array)
    guise.graph.node.append(helper.make_node("Identity", [name], ["anchors"]))
    guise.output("anchors", helper.np_dtype_to_tensor_dtype(array.dtype), list(shape), True)


def input_as_output(guise: Guise, random: np.random.Generator) -> None:
    """An output that is an input's copy."""
    value = guise.graph.input[0]
    shape = [side.dim_value for side in value.type.tensor_type.shape.dim]
    guise.graph.node.append(helper.make_node("Identity", [value.name], ["copy"]))
    guise.output("copy", value.type.tensor_type.elem_type, shape, True)


def names(guise: Guise, random: np.random.Generator) -> None:
    """As PyTorch and TensorFlow name values, or such that they differ in case alone."""
    kind = random.integers(4)
    patterns = ("/model.{}/Conv_output_0", "out:{}", "Maps {}", "OUT"[: kind - 1])
    pattern = patterns[kind]
    for index, name in enumerate(list(guise.exact)):
        new = pattern.format(index) if kind < 3 else ["out", "Out", "OUT", "oUt"][index % 4]
        if kind == 3 and index >= 4:
            continue
        rename(guise.graph, name, new)
        guise.exact = {new if n == name else n: exact for n, exact in guise.exact.items()}
    if kind < 3 and random.random() < 0.5:
        old = guise.graph.input[0].name
        new = ["/image", "image:0", "serving default"][kind]
        rename(guise.graph, old, new)
        guise.feeds = {new if n == old else n: feed for n, feed in guise.feeds.items()}


def old_ir(guise: Guise, random: np.random.Generator) -> None:
    """IR version 3: every initializer is an input, too."""
    if guise.opset > 11:
        return
    guise.model.ir_version = OLD_IR
    for tensor in guise.graph.initializer:
        guise.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )


INPUTS = (channels_last, bytes_, other_rank, tokens)
OTHERS = (
    constant_as_input,
    activated,
    tapped,
    equal,
    integers,
    constant_output,
    input_as_output,
    names,
    old_ir,
)
"""In the order in which they are applied."""

type Change = Callable[[Guise, np.random.Generator], None]


def disguise(guise: Guise, random: np.random.Generator, often: float) -> None:
    """Apply some of the changes, each with the probability ``often``."""
    chosen: list[Change] = []
    if random.random() < 2 * often:
        chosen.append(INPUTS[random.integers(len(INPUTS))])
    chosen += [change for change in OTHERS if random.random() < often]
    for change in chosen:
        change(guise, random)
        guise.done.append(change.__name__)
