"""Which convolution of one ONNX graph is which of another, by the structure of the two alone.

Exporters name and order nodes as they like, and so do training frameworks their layers. What the
same network has in common everywhere is who reads whom.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import onnx_ir as ir

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.edit import describe, integer, integers, is_op, readers, shape_of

COMMUTATIVE = ("Add", "Mul")

type Colours = dict[ir.Node, int]


def pair_convolutions(ours: ir.Model, theirs: ir.Model) -> list[tuple[ir.Node, ir.Node]]:
    """Pair the convolutions of two canonical models of one network, in the order of ``ours``.

    Colour refinement (Weisfeiler and Leman 1968) on both graphs at once:

    1. Only nodes on a way to a convolution count: what follows the last ones, a decoder for
       instance, may differ.
    2. A node's first colour is its operator; a convolution's, its kernel's shape, stride and groups
       too. Pads are no part of it: they belong to the framework, not to the weights.
    3. In each round a colour becomes that of (itself, its inputs' in their order, its readers' with
       the position at which they read it), until no round tells more nodes apart. ``Add`` and
       ``Mul`` have no order.
    4. Convolutions of one colour are a pair.

    Raises:
        ModelError: the graphs differ, or two convolutions of one graph cannot be told apart.
    """
    graphs = [_relevant(model) for model in (ours, theirs)]
    palette: dict[object, int] = {}
    colours: Colours = {}
    for node in (*graphs[0], *graphs[1]):
        colours[node] = palette.setdefault(_first_colour(node), len(palette))
    number = 0
    while len(palette) != number:
        number, palette = len(palette), {}
        neighbours = {node: _neighbourhood(node, colours) for node in colours}
        colours = {n: palette.setdefault(key, len(palette)) for n, key in neighbours.items()}
    return _pair(graphs[0], graphs[1], colours)


def last_convolutions(model: ir.Model) -> list[ir.Node]:
    """Those that no other convolution reads from, in the order of the graph."""
    relevant = set(_relevant(model))
    return [
        node
        for node in model.graph
        if is_op(node, "Conv") and not any(n in relevant for n in readers(node.outputs[0]))
    ]


def _relevant(model: ir.Model) -> list[ir.Node]:
    """Rule 1, in the order of the graph."""
    found: set[ir.Node] = set()
    for node in reversed(model.graph):
        followed = any(n in found for output in node.outputs for n in readers(output))
        if followed or is_op(node, "Conv"):
            found.add(node)
    return [node for node in model.graph if node in found]


def _first_colour(node: ir.Node) -> object:
    if not is_op(node, "Conv"):
        return node.op_type
    kernel = node.inputs[1]
    assert kernel is not None
    strides = integers(node, "strides", (1, 1))
    return node.op_type, shape_of(kernel), strides, integer(node, "group", 1)


def _neighbourhood(node: ir.Node, colours: Colours) -> object:
    inputs = [
        colours.get(value.producer(), -1)  # type: ignore[arg-type]  # None has no colour
        for value in node.inputs
        if value is not None and not value.is_initializer()
    ]
    if node.op_type in COMMUTATIVE:
        inputs.sort()
    uses = sorted(
        (colours[reader], -1 if reader.op_type in COMMUTATIVE else position)
        for output in node.outputs
        for reader, position in output.uses()
        if reader in colours
    )
    return colours[node], tuple(inputs), tuple(uses)


def _pair(
    ours: Sequence[ir.Node], theirs: Sequence[ir.Node], colours: Colours
) -> list[tuple[ir.Node, ir.Node]]:
    by_colour: dict[int, list[ir.Node]] = defaultdict(list)
    for node in theirs:
        if is_op(node, "Conv"):
            by_colour[colours[node]].append(node)
    convolutions = [node for node in ours if is_op(node, "Conv")]
    count = sum(len(nodes) for nodes in by_colour.values())
    if count != len(convolutions):
        raise ModelError(
            f"a network of {count} convolutions",
            f"the {len(convolutions)} of detector.config",
            "choose the config of the same detector and size",
        )
    for colour, number in Counter(colours[node] for node in convolutions).items():
        found = by_colour[colour]
        if len(found) == number == 1:
            continue
        node = next(n for n in convolutions if colours[n] == colour)
        raise ModelError(
            f"{len(found)} convolutions stand where detector.config has {number}, such as "
            f"{describe(node)} with a kernel of {list(shape_of(node.inputs[1]))}",  # type: ignore[arg-type]
            "the same layers in the same places",
            "choose the config of the same detector, size and activation",
        )
    return [(node, by_colour[colours[node]][0]) for node in convolutions]
