"""ONNX files that would take the machine, or read what is none of theirs, are refused at once."""

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mmdet2tflite.errors import ModelError
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.model_file import load_model
from mmdet2tflite.processes import memory
from tests.graph.passes.tiny import build, integers, node

WEIGHTS = {"w": integers(3, 2, 3, 3)}
CONV = node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])
MB = 10**6


def refuse(model: ModelProto, folder: Path, found: str) -> None:
    """``plan`` ends with ``found``, and without having taken memory for what the file claims."""
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    with (
        memory.growing_at_most(700 * MB, error=AssertionError),  # type: ignore[arg-type]
        pytest.raises(ModelError, match=found),
    ):
        canonicalise(load_model(file))


def network(*nodes: onnx.NodeProto, **constants: np.ndarray) -> ModelProto:
    return build((CONV, *nodes), {**WEIGHTS, **constants}, image=(1, 2, 8, 8), opset=13)


def grown(name: str, *inputs: str, **attributes: object) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """A constant node, and an Add that needs it."""
    return node(name, list(inputs), ["k"], **attributes), node("Add", ["c", "k"], ["y"])


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


ONE, HUGE = np.ones(1, np.float32), i64(10**6, 10**6)
CONSTANTS = {
    "Expand": (grown("Expand", "one", "shape"), {"one": ONE, "shape": HUGE}),
    "Tile": (grown("Tile", "one", "shape"), {"one": ONE, "shape": i64(10**12)}),
    "ConstantOfShape": (grown("ConstantOfShape", "shape"), {"shape": HUGE}),
    "Range": (
        grown("Range", "from", "to", "by"),
        {"from": np.array(0, np.int64), "to": np.array(10**12), "by": np.array(1, np.int64)},
    ),
    "Pad": (grown("Pad", "one", "pads"), {"one": ONE, "pads": i64(0, 10**12)}),
    "OneHot": (
        grown("OneHot", "at", "depth", "values"),
        {"at": i64(1), "depth": i64(10**12), "values": np.array([0, 1], np.float32)},
    ),
    "Resize": (
        grown("Resize", "map", "", "scales"),
        {"map": np.ones((1, 1, 2, 2), np.float32), "scales": np.array([1, 1, 1e5, 1e5], "f4")},
    ),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_of_an_absurd_size_is_not_computed(name: str, tmp_path: Path) -> None:
    nodes, constants = CONSTANTS[name]
    refuse(network(*nodes, **constants), tmp_path, rf"{name} .* is constant and has [0-9,]+ elem")


def test_many_constants_of_a_possible_size_are_counted_together(tmp_path: Path) -> None:
    nodes = [node("ConstantOfShape", ["shape"], [f"k{n}"]) for n in range(100)]
    total = node("Sum", ["c", *(f"k{n}" for n in range(100))], ["y"])
    model = network(*nodes, total, shape=i64(4096, 4096))
    refuse(model, tmp_path, "is constant and has 16,777,216 elements")


@pytest.mark.parametrize("name", ["Resize", "Tile", "Pad"])
def test_a_map_of_an_absurd_size_is_refused(name: str, tmp_path: Path) -> None:
    last, constants = {
        "Resize": (
            node("Resize", ["c", "", "s"], ["y"]),
            {"s": np.array([1, 1, 1e5, 1e5], np.float32)},
        ),
        "Tile": (node("Tile", ["c", "s"], ["y"]), {"s": i64(1, 1, 10**6, 10**6)}),
        "Pad": (node("Pad", ["c", "s"], ["y"]), {"s": i64(0, 0, 0, 0, 0, 0, 10**7, 10**7)}),
    }[name]
    refuse(network(last, **constants), tmp_path, rf"{name} .* gives [0-9,]+ elements")


def loop() -> ModelProto:
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["v", "v"], ["o"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("o", TensorProto.FLOAT, [1]),
        ],
    )
    return network(
        *grown("Loop", "trips", "go0", "one", body=body),
        trips=np.array(10**12),
        go0=np.array(True),
        one=ONE,
    )


def functions(count: int, calls: int) -> ModelProto:
    """Each of the functions calls the one before ``calls`` times."""
    model = network(node("Relu", ["c"], ["y"]))
    model.graph.node[-1].op_type, model.graph.node[-1].domain = f"F{count - 1}", "mine"
    model.opset_import.append(helper.make_opsetid("mine", 1))
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    for number in range(count):
        names = [f"v{n}" for n in range(calls + 1)]
        kind = ("Relu", "") if number == 0 else (f"F{number - 1}", "mine")
        body = [node(kind[0], [a], [b], domain=kind[1]) for a, b in pairwise(names)]
        model.functions.append(
            helper.make_function("mine", f"F{number}", names[:1], names[-1:], body, imports)
        )
    return model


def own_function() -> ModelProto:
    model = functions(2, 1)
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "F1", "mine"
    return model


def changed(change: Callable[[ModelProto], object]) -> ModelProto:
    model = network(node("Relu", ["c"], ["y"]))
    change(model)
    return model


def weights(change: Callable[[TensorProto], object]) -> ModelProto:
    return changed(lambda model: change(model.graph.initializer[0]))


def cycle(model: ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def sparse(model: ModelProto) -> None:
    entry = model.graph.sparse_initializer.add()
    entry.dims.extend([10**6, 10**6])
    entry.values.CopyFrom(numpy_helper.from_array(ONE, "sparse"))
    entry.indices.CopyFrom(numpy_helper.from_array(i64(5), "where"))


IMPOSSIBLE = {
    "a loop": (loop, "control flow: Loop"),
    "functions that explode": (lambda: functions(40, 3), "expand to [0-9,]+ nodes"),
    "a function that contains itself": (own_function, "contains itself"),
    "sides of 10^15": (lambda: weights(lambda t: t.dims.__setitem__(0, 10**15)), "weights to"),
    "a product above 2^64": (
        lambda: weights(lambda t: t.dims.__setitem__(slice(None), [2**33] * 4)),
        "weights to",
    ),
    "a negative side": (lambda: weights(lambda t: t.dims.__setitem__(0, -3)), "0 or more"),
    "too few bytes": (lambda: weights(lambda t: t.dims.__setitem__(0, 5)), "has 216 bytes"),
    "too many bytes": (lambda: weights(lambda t: t.dims.__setitem__(0, 2)), "has 216 bytes"),
    "no bytes": (lambda: weights(lambda t: t.ClearField("raw_data")), "has no data"),
    "an unknown type": (lambda: weights(lambda t: setattr(t, "data_type", 999)), "type 999"),
    "no type": (lambda: weights(lambda t: setattr(t, "data_type", 0)), "type 0"),
    "a cycle": (lambda: changed(cycle), "no valid ONNX model"),
    "two of a name": (
        lambda: changed(lambda m: m.graph.node.append(m.graph.node[0])),
        "no valid ONNX model",
    ),
    "no nodes": (lambda: changed(lambda m: m.graph.ClearField("node")), "ONNX model|no conv"),
    "no outputs": (lambda: changed(lambda m: m.graph.ClearField("output")), "no outputs"),
    "an absurd opset": (
        lambda: changed(lambda m: setattr(m.opset_import[0], "version", 2**62)),
        "opset|no valid",
    ),
    "a negative opset": (
        lambda: changed(lambda m: setattr(m.opset_import[0], "version", -1)),
        "opset|no valid",
    ),
    "no opset": (lambda: changed(lambda m: m.ClearField("opset_import")), "opset"),
    "an absurd IR": (lambda: changed(lambda m: setattr(m, "ir_version", 2**62)), "valid|no ONNX"),
    "a sparse tensor of 10^12": (lambda: changed(sparse), "sparse"),
    "an image of 10^12": (
        lambda: build((CONV, node("Relu", ["c"], ["y"])), WEIGHTS, image=(1, 2, 10**6, 10**6)),
        "elements",
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_model_is_refused(name: str, tmp_path: Path) -> None:
    make, found = IMPOSSIBLE[name]
    refuse(make(), tmp_path, found)


def field(number: int, content: bytes) -> bytes:
    """A message inside a message, as protobuf writes it."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size % 128 + 128]), size // 128
    return bytes([number * 8 + 2]) + length + bytes([size]) + content


@pytest.mark.parametrize("depth", [20, 3000])
def test_branches_within_branches_are_refused(depth: int, tmp_path: Path) -> None:
    graph = b""
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        node_of_it = field(2, b"o") + field(4, b"If") + field(5, attribute)
        graph = field(1, node_of_it) + field(2, b"g")
    model = network(node("Relu", ["c"], ["y"])).SerializeToString() + field(7, graph)
    (tmp_path / "model.onnx").write_bytes(model)
    with pytest.raises(ModelError, match=r"no ONNX model|no valid ONNX model"):
        canonicalise(load_model(tmp_path / "model.onnx"))


def external(folder: Path, location: str, offset: int = 0, length: int = 216) -> ModelProto:
    def move(tensor: TensorProto) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))

    return weights(move)


@pytest.mark.parametrize(
    ("location", "offset", "length", "found"),
    [
        ("link", 0, 216, "a link"),
        ("folder-link/weights", 0, 216, "a link"),
        ("../secret", 0, 216, "are in ../secret"),
        ("inside/../weights", 0, 216, "are in inside"),
        ("/etc/passwd", 0, 216, "are in /etc/passwd"),
        ("", 0, 216, "are in no file"),
        ("pipe", 0, 216, "it is a named pipe"),
        ("inside", 0, 216, "it is a folder"),
        ("weights", 0, 10**15, "has 1,000,000,000,000,000 bytes at 0"),
        ("weights", 10, 216, "at 10 of weights, which has 216"),
        ("weights", -10, 216, "at -10"),
        ("weights", 0, -5, "bytes"),
        ("weights", "much", 216, "external data that"),
        ("a\0b", 0, 216, "external data"),
    ],
)
def test_external_data_lie_beside_the_model_and_are_as_long_as_they_must(
    location: str, offset: int, length: int, found: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(216))
    (folder / "weights").write_bytes(bytes(216))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder-link").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    refuse(external(folder, location, offset, length), folder, found)


def test_a_pipe_a_device_and_a_file_of_terabytes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    for name in ("pipe", "/dev/zero", "sparse"):
        with pytest.raises(ModelError, match=r"cannot be read: it (is a|has 1,000,000\.0 MB)"):
            load_model(tmp_path / name)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_refused(part: float, tmp_path: Path) -> None:
    content = network(node("Relu", ["c"], ["y"])).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ModelError):
        canonicalise(load_model(tmp_path / "model.onnx"))


def test_a_model_with_changed_bytes_is_refused_or_read(tmp_path: Path) -> None:
    content = network(node("Relu", ["c"], ["y"])).SerializeToString()
    random = np.random.default_rng(0)
    file = tmp_path / "model.onnx"
    for _ in range(300):
        changed_bytes = bytearray(content)
        for place in random.integers(0, len(content), 3):
            changed_bytes[place] = random.integers(256)
        file.write_bytes(changed_bytes)
        with suppress(ModelError):
            canonicalise(load_model(file))
