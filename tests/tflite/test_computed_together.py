"""Which operators are timed together, because XNNPACK computes them as one."""

import numpy as np
import pytest

from mmdet2tflite.tflite.computed_together import find_groups
from mmdet2tflite.tflite.flatbuffer import operator_name
from tests.tflite.tflite_writer import Writer

SHAPE = (1, 8, 8, 4)


class Chain(Writer):
    """``op("MUL", "y", "x", "s")``: y from x and s, all of one shape; of any shape after a PAD."""

    def __init__(self):
        super().__init__()
        self.index = {}

    def op(self, kind, output, *inputs, shape=SHAPE):
        read = [self.place(name) for name in inputs]
        self.operator(kind, read, self.place(output, shape))
        return self

    def pad(self, output, source):
        table = self.constant("table", np.array([(0, 0), (1, 1), (1, 1), (0, 0)], np.int32))
        self.operator("PAD", [self.place(source), table], self.place(output, (1, 10, 10, 4)))
        return self

    def convolve(self, output, source, same=False):
        kernel = self.constant("kernel", np.ones((4, 3, 3, 4), np.float32))
        bias = self.constant("bias", np.zeros(4, np.float32))
        self.conv(self.place(source), kernel, bias, self.place(output), same=same)
        return self

    def place(self, name, shape=SHAPE):
        if name not in self.index:
            self.index[name] = self.tensor(name, shape)
        return self.index[name]

    def groups(self, *outputs, inputs=("x",)):
        model = self.finish(
            {name: self.place(name) for name in inputs},
            {name: self.place(name) for name in outputs},
        )
        found = find_groups(model, model.subgraphs[0].operators)
        return [[operator_name(model, each) for each in group.operators] for group in found]


def test_silu_is_one():
    chain = Chain().op("LOGISTIC", "s", "x").op("MUL", "y", "x", "s").convolve("z", "y", same=True)
    assert chain.groups("z") == [["LOGISTIC", "MUL"], ["CONV_2D"]]


def test_what_is_real_between_conversions_is_one_with_them():
    chain = Chain().convolve("c", "x", same=True)
    chain.op("DEQUANTIZE", "r", "c").op("HARD_SWISH", "h", "r").op("QUANTIZE", "q", "h")
    chain.convolve("z", "q", same=True)
    assert chain.groups("z") == [
        ["CONV_2D"],
        ["DEQUANTIZE", "HARD_SWISH", "QUANTIZE"],
        ["CONV_2D"],
    ]


def test_a_constant_does_not_part_them():
    chain = Chain().op("ABS", "a", "x")
    half = chain.constant("half", np.array([0.5], np.float32))
    chain.operator("MUL", [chain.place("a"), half], chain.place("y"))
    assert chain.groups("y") == [["ABS", "MUL"]]


def test_two_chains_of_one_tensor_are_two():
    chain = Chain().op("ABS", "a", "x").op("TANH", "t", "x").op("NEG", "n", "a")
    assert chain.groups("n", "t") == [["ABS", "NEG"], ["TANH"]]


def test_what_brings_two_maps_together_is_by_itself_and_begins_nothing():
    chain = Chain().op("ABS", "a", "x").op("ADD", "y", "a", "w").op("NEG", "n", "y")
    assert chain.groups("n", inputs=("x", "w")) == [["ABS"], ["ADD"], ["NEG"]]


def test_an_operator_that_is_not_elementwise_parts_them():
    chain = Chain().op("ABS", "a", "x").op("SOFTMAX", "s", "a").op("NEG", "n", "s")
    assert chain.groups("n") == [["ABS"], ["SOFTMAX"], ["NEG"]]


def test_a_pad_is_one_with_the_convolution_that_xnnpack_fuses_it_into():
    chain = Chain().op("ABS", "a", "x").pad("p", "a").convolve("z", "p").op("NEG", "n", "z")
    assert chain.groups("n") == [["ABS"], ["PAD", "CONV_2D"], ["NEG"]]


def test_a_pad_with_two_readers_is_by_itself():
    chain = Chain().pad("p", "x").convolve("z", "p").op("ABS", "a", "p", shape=(1, 10, 10, 4))
    assert chain.groups("z", "a") == [["PAD"], ["CONV_2D"], ["ABS"]]


def test_every_operator_is_in_one_group_in_the_files_order():
    chain = Chain().pad("p", "x").op("TANH", "t", "x").convolve("z", "p").op("NEG", "n", "t")
    assert chain.groups("z", "n") == [["PAD", "CONV_2D"], ["TANH", "NEG"]]


@pytest.mark.parametrize("left_out", [0, 1])
def test_what_operators_that_are_left_out_write_is_constant(left_out):
    chain = Chain().op("DEQUANTIZE", "k", "x").op("ABS", "a", "x").op("MUL", "y", "a", "k")
    model = chain.finish({"x": chain.place("x")}, {"y": chain.place("y")})
    operators = model.subgraphs[0].operators[left_out:]
    found = [len(group.operators) for group in find_groups(model, operators)]
    # With it, MUL brings two chains of one tensor together; without it, one and a constant.
    assert found == ([1, 1, 1] if left_out == 0 else [2])
