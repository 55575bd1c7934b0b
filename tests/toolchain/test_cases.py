"""Every kind of tests/cases by the real command with no option, each file held against the ONNX.

ONNX Runtime without any optimisation computes what is right, LiteRT runs the file, and the
comparison is this module's own. Two conversions run side by side.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.cases.kinds import KINDS

pytestmark = pytest.mark.toolchain

TOLERANCE = 1e-5
"""Of an output's range: some tens of float32's steps, summed in another order."""
SIDE_BY_SIDE = 2
SYMBOLIC = {"N": 1, "H": 12, "W": 16}
"""What the options of a kind say of its sides."""

type Arrays = Mapping[str, np.ndarray]
type Done = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def conversions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Done]]]:
    """Of the kinds that this run asks for, by name: started at once, each in its own folder."""
    folder = tmp_path_factory.mktemp("cases")
    chosen = dict.fromkeys(
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == Path(__file__)
    )
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {name: pool.submit(convert, name, folder / name) for name in chosen}


def convert(name: str, folder: Path) -> Done:
    folder.mkdir()
    temporary = folder / "temporary"
    temporary.mkdir()
    model = folder / "model.onnx"
    onnx.save(KINDS[name].make(), model)
    words = ["convert", model, "--out", folder / "out", *KINDS[name].options]
    done = subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", *words],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    return folder, done


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.says])
def test_a_kind_becomes_a_file_that_computes_the_same(
    name: str, conversions: dict[str, Future[Done]]
) -> None:
    folder, done = conversions[name].result()
    assert done.returncode == 0, done.stderr
    # TensorFlow's converter leaves folders of its own there.
    assert not any((folder / "temporary").glob("mmdet2tflite-*"))
    wanted, feeds = run_onnx(folder / "model.onnx", KINDS[name].options)
    found = run_tflite(folder / "out", feeds, KINDS[name].make().graph)
    assert list(found) == list(wanted)
    for output, value in wanted.items():
        assert found[output].shape == value.shape, output
        assert found[output].dtype == value.dtype, output
        error = np.abs(found[output].astype(np.float64) - value.astype(np.float64)).max()
        allowed = TOLERANCE * np.ptp(value) if value.dtype == np.float32 else 0
        assert error <= max(allowed, TOLERANCE * (value.size == 1) * np.abs(value).max()), output


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.says])
def test_a_kind_is_refused_with_its_operator_and_a_way_round(
    name: str, conversions: dict[str, Future[Done]]
) -> None:
    folder, done = conversions[name].result()
    assert done.returncode == 2, done.stderr
    for words in KINDS[name].says:
        assert words in done.stderr
    for part in ("  expected: ", "  to do:    "):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (folder / "out").exists()
    assert not any((folder / "temporary").iterdir())


def run_onnx(path: Path, options: tuple[str, ...]) -> tuple[Arrays, Arrays]:
    """Outputs and inputs by name."""
    model = onnx.load(path)
    named = dict(zip(options[::2], options[1:], strict=False))
    if "--cut" in named:
        cut = [value for option, value in zip(options[::2], options[1::2], strict=True)]
        del model.graph.output[:]
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in cut
        )
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    random, constants = np.random.default_rng(5), {each.name for each in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name not in constants:
            feeds[value.name] = _draw(random, value, named)
    if "--batch" in named:
        _declare_batch(model, int(named["--batch"]))
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True)), feeds


def _draw(
    random: np.random.Generator, value: onnx.ValueInfoProto, options: Mapping[str, str]
) -> np.ndarray:
    tensor = value.type.tensor_type
    shape = [side.dim_value or SYMBOLIC.get(side.dim_param, 0) for side in tensor.shape.dim]
    if "--input-shape" in options:
        shape = [int(side) for side in options["--input-shape"].rpartition("=")[2].split(",")]
    if "--batch" in options:
        shape[0] = int(options["--batch"])
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype.kind == "f":
        return np.asarray(random.standard_normal(shape)).astype(dtype)
    return random.integers(0, {"b": 2, "u": 256}.get(dtype.kind, 5), shape).astype(dtype)


def _declare_batch(model: onnx.ModelProto, batch: int) -> None:
    """As the option means it, of the one kind that has it."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT64:
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[0] = batch
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def run_tflite(out: Path, feeds: Arrays, graph: onnx.GraphProto) -> Arrays:
    """Inputs and outputs as the ONNX has them, turned where the passport says so."""
    passport = json.loads((out / "passport.json").read_text())
    interpreter = Interpreter(str(out / "model.tflite"))
    interpreter.allocate_tensors()
    turned = {node.input[0] for node in graph.node if node.op_type == "Transpose"}
    inside = {node.output[0]: node.input[0] for node in graph.node if node.op_type in POINTWISE}
    turned |= {inside[name] for name in turned if name in inside}
    turned |= {inside[name] for name in turned if name in inside}
    details = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    assert set(details) == set(feeds)
    for name, value in feeds.items():
        last = value.ndim in (4, 5) and name not in turned
        given = np.moveaxis(value, 1, -1) if last else value
        interpreter.set_tensor(details[name], np.array(given, order="C"))
    interpreter.invoke()
    details = {detail["name"]: detail["index"] for detail in interpreter.get_output_details()}
    found = {}
    for output in passport["outputs"]:
        value = interpreter.get_tensor(details[output["name"]])
        found[output["name"]] = np.moveaxis(value, -1, 1) if output["layout"] == "nhwc" else value
    return found


POINTWISE = ("Cast", "Div", "Mul", "Sub")
