"""Reading and writing TFLite files: what is kept, how it is laid out, what is refused."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ModelError
from mmdet2tflite.tflite.flatbuffer import (
    constant,
    copy_tensor,
    new_constant,
    new_operator,
    operator_name,
    parse_model,
    read_metadata,
    read_model,
    serialise,
    write_metadata,
    write_model,
)
from tests.tflite.tflite_writer import Writer, infer


def network() -> schema.ModelT:
    writer = Writer()
    image = writer.tensor("image", (1, 2, 2, 1))
    kernel = writer.constant("kernel", np.full((3, 1, 1, 1), 2, np.float32))
    bias = writer.constant("bias", np.arange(3, dtype=np.float32))
    found = writer.tensor("map", (1, 2, 2, 3))
    writer.conv(image, kernel, bias, found)
    return writer.finish({"picture": image}, {"map": found})


def test_a_file_read_and_written_again_computes_the_same(tmp_path):
    ones = np.ones((1, 2, 2, 1), np.float32)
    write_model(network(), tmp_path / "m.tflite")
    again = read_model(tmp_path / "m.tflite")
    assert infer(again, ones)["map"][0, 0, 0].tolist() == [2, 3, 4]


def with_weights_behind(model: schema.ModelT) -> bytes:
    """The model's file with every constant at an offset behind the flatbuffer."""
    contents = [b"" if b.data is None else np.asarray(b.data).tobytes() for b in model.buffers]
    for buffer, content in zip(model.buffers, contents, strict=True):
        buffer.data, buffer.size = None, len(content)
        buffer.offset = 1 if content else 0  # so that the field is there, whatever it will say
    start = len(serialise(model))
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            buffer.offset, start = start, start + len(content)
    return serialise(model) + b"".join(contents)


def test_weights_behind_the_flatbuffer_are_brought_inside():
    content = with_weights_behind(network())
    model = parse_model(content, "m.tflite")
    assert [buffer.offset for buffer in model.buffers] == [0] * len(model.buffers)
    ones = np.ones((1, 2, 2, 1), np.float32)
    assert infer(model, ones)["map"][0, 0, 0].tolist() == [2, 3, 4]


def test_weights_that_end_behind_the_file_are_refused():
    with pytest.raises(ModelError, match=r"m\.tflite is broken: a buffer ends behind its end"):
        parse_model(with_weights_behind(network())[:-1], "m.tflite")


def test_every_constant_lies_at_a_multiple_of_16_bytes():
    model = network()
    write_metadata(model, "note", b"thirteen byte")
    content = np.frombuffer(serialise(model), np.uint8)
    packed = schema.Model.GetRootAs(content, 0)
    buffers = [packed.Buffers(i) for i in range(packed.BuffersLength())]
    places = [
        buffer.DataAsNumpy().ctypes.data - content.ctypes.data
        for buffer in buffers
        if not buffer.DataIsNone()
    ]
    assert len(places) == 3
    assert [place % 16 for place in places] == [0, 0, 0]


def test_metadata_is_read_back_and_replaced(tmp_path):
    model = network()
    assert read_metadata(model, "note") is None
    write_metadata(model, "note", b"old")
    write_metadata(model, "other", b"")
    write_metadata(model, "note", "nëw".encode())
    write_model(model, tmp_path / "m.tflite")
    again = read_model(tmp_path / "m.tflite")
    assert read_metadata(again, "note") == "nëw".encode()
    assert read_metadata(again, "other") == b""
    assert len(again.metadata) == 2


def test_a_new_tensor_takes_a_name_that_is_free():
    model = network()
    graph = model.subgraphs[0]
    first, second = (copy_tensor(graph, 0, "_new") for _ in range(2))
    third = new_constant(model, "image", np.array([1, 2], np.int32))
    names = [graph.tensors[index].name for index in (first, second, third)]
    assert names == [b"image_new", b"image_new_2", b"image_2"]
    assert constant(model, graph.tensors[third]).tolist() == [1, 2]
    assert constant(model, graph.tensors[0]) is None


def test_a_copy_with_a_shape_of_its_own_is_not_the_constant_that_it_was_made_of():
    model = network()
    graph = model.subgraphs[0]
    same, larger = copy_tensor(graph, 1, "_new"), copy_tensor(graph, 1, "_new", (4, 1, 1, 1))
    assert constant(model, graph.tensors[same]).ravel().tolist() == [2, 2, 2]
    assert constant(model, graph.tensors[larger]) is None
    assert list(graph.tensors[larger].shape) == [4, 1, 1, 1]


def test_an_operator_of_the_same_kind_and_version_shares_its_code():
    model = network()
    pads = [
        new_operator(model, schema.BuiltinOperator.PAD, version, schema.PadOptionsT(), [0], 1)
        for version in (1, 2, 1)
    ]
    assert [pad.opcodeIndex for pad in pads] == [1, 2, 1]
    assert [operator_name(model, pad) for pad in pads] == ["PAD"] * 3


def test_an_operator_whose_code_needs_more_than_one_byte_keeps_its_name():
    model = network()
    gelu = new_operator(model, schema.BuiltinOperator.GELU, 1, schema.GeluOptionsT(), [0], 1)
    assert operator_name(model, gelu) == "GELU"
    assert model.operatorCodes[gelu.opcodeIndex].deprecatedBuiltinCode == 127


def test_a_file_that_is_missing_of_another_kind_or_cut_off_is_refused(tmp_path):
    path = tmp_path / "m.tflite"
    with pytest.raises(ModelError, match=r"m\.tflite cannot be read: No such file"):
        read_model(path)
    path.write_bytes(b"PK\x03\x04 a zip archive")
    with pytest.raises(ModelError, match="is not a TFLite file"):
        read_model(path)
    path.write_bytes(serialise(network())[:-40])
    with pytest.raises(ModelError, match="is broken"):
        read_model(path)
