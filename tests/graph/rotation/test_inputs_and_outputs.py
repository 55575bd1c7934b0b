"""What stays of the graph's outside: names, orientation, constants, and the graph itself."""

import numpy as np
import onnx_ir as ir
import pytest

from mmdet2tflite.graph.rotation.rotate import rotate_graph
from mmdet2tflite.graph.window_operators import find_window_operators
from tests.graph.rotation.nets import Net, check


def test_a_graph_in_which_no_site_gains_stays_as_it_was() -> None:
    net = Net(1, 2, 6, 5)
    x = net.conv("image", 2, 4, (3, 3), pads=[1, 1, 1, 1])
    shortcut = net.conv(x, 4, 2, (1, 1), strides=[2, 2])
    model = net.model(net.op("Flatten", x), shortcut)
    rotated = ir.from_proto(model)
    found = rotate_graph(rotated, windows := find_window_operators(rotated.graph))
    assert ir.to_proto(rotated) == ir.to_proto(ir.from_proto(model))
    assert (found.rotated_input, found.rotated_outputs, found.inner_flips) == (False, (), ())
    assert list(found.windows.values()) == windows


def test_one_site_that_gains_turns_the_whole_graph() -> None:
    net = Net(1, 2, 6, 8)
    x = net.conv("image", 2, 4, (3, 3), pads=[1, 1, 1, 1])
    end = net.conv(x, 4, 2, (3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    found = check(net.model(end))
    assert (found.rotated_input, found.rotated_outputs) == (True, (end,))
    assert [window.is_same for window in found.windows.values()] == [True, True]


def test_sites_come_in_the_order_of_the_graph_with_both_geometries() -> None:
    net = Net(1, 2, 6, 8)
    x = net.stem()
    unrotated = net.conv(net.op("Hardmax", x), 4, 4, (2, 2), pads=[1, 0, 0, 0])
    found = check(net.model(unrotated, net.conv(x, 4, 4, (1, 1), strides=[2, 2])))
    stem, behind, shortcut = (window.height for window in found.windows.values())
    assert (stem.begin, stem.end) == (0, 1)
    assert (behind.begin, behind.end) == (1, 0)
    assert shortcut.crop == 1


@pytest.mark.parametrize(
    ("size", "perm", "rotated"),
    [
        ((6, 5), [0, 1, 2, 3], True),
        ((6, 1), [0, 1, 2, 3], True),
        ((1, 5), [0, 1, 2, 3], True),
        ((6, 5), [1, 0, 3, 2], True),
        ((6, 5), [0, 2, 3, 1], False),
        ((6, 1), [3, 0, 2, 1], False),
        ((6, 1), [0, 3, 1, 2], False),
    ],
)
def test_an_output_stays_rotated_exactly_if_all_its_rows_and_columns_are_flipped(
    size: tuple[int, int], perm: list[int], rotated: bool
) -> None:
    net = Net(1, 2, *size)
    end = net.op("Transpose", net.stem(), perm=perm)
    found = check(net.model(end))
    assert found.rotated_outputs == ((end,) if rotated else ())
    assert found.inner_flips == (() if rotated else (f"{end}, at the graph's output",))


def test_an_output_of_another_rank_is_flipped_back() -> None:
    net = Net(1, 2, 6, 5)
    end = net.op("Squeeze", net.stem(), np.array([0]))
    assert check(net.model(end)).inner_flips == ("v1, at the graph's output",)


def test_an_output_that_others_read_keeps_its_name() -> None:
    net = Net(1, 2, 6, 5)
    x = net.stem()
    rows = net.op("Reshape", x, np.array([1, 4, 30]))
    found = check(net.model(rows, net.op("Relu", rows), x, net.op("Flatten", x)))
    assert found.rotated_outputs == (x,)
    assert len(found.inner_flips) == 3


def test_a_shared_constant_is_flipped_once_and_the_old_one_goes() -> None:
    net = Net(1, 2, 6, 5)
    x, table = net.stem(), net.constant(net.integers(6, 5))
    end = net.op("Mul", net.op("Add", x, table), table)
    names = []
    check(net.model(end), look=lambda model: names.extend(model.graph.initializers))
    assert sorted(names) == ["c0_flipped", "c1", f"{table}_flipped"]


def test_a_constant_that_another_reads_unflipped_stays() -> None:
    net = Net(1, 2, 6, 5)
    x, table = net.stem(), net.constant(net.integers(6, 5))
    names = []
    model = net.model(net.op("Add", x, table), net.op("Neg", table))
    check(model, look=lambda model: names.extend(model.graph.initializers))
    assert {table, f"{table}_flipped"} < set(names)


def test_symmetric_constants_and_1x1_kernels_are_left_alone() -> None:
    net = Net(1, 2, 6, 5)
    x = net.conv(net.stem(), 4, 4, (1, 1))
    x = net.op("Pad", x, np.array([1, 2, 1, 2]), "", np.array([2, 3]))
    whole = np.array([np.iinfo(np.int64).max])
    x = net.op("Slice", x, np.array([0]), whole, np.array([2]))
    names = []
    check(net.model(x), look=lambda model: names.extend(model.graph.initializers))
    assert [name for name in names if name not in net.names()] == ["c0_flipped"]


def test_a_flip_is_one_slice_per_axis_from_the_last_to_before_the_first() -> None:
    net = Net(1, 2, 6, 5)
    operands = []

    def look(model: ir.Model) -> None:
        for node in model.graph:
            if node.op_type == "Slice":
                operands.append([x.const_value.numpy().tolist() for x in node.inputs[1:]])

    check(net.model(net.op("Flatten", net.stem())), look=look)
    assert operands == [[[-1], [-(2**63 - 1)], [axis], [-1]] for axis in (2, 3)]


def test_the_name_of_a_flip_is_new() -> None:
    net = Net(1, 2, 6, 5)
    model = ir.from_proto(net.model(net.op("Flatten", net.stem())))
    model.graph[1].name = "v0_upright"
    rotate_graph(model, find_window_operators(model.graph))
    names = [node.name for node in model.graph]
    assert names == ["Conv_0", "v0_reversed_3", "v0_upright_2", "v0_upright"]
