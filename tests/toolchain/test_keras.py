"""Keras files and SavedModels compute what the ONNX computes, and load as docs/formats.md says."""

import json
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from pydantic import TypeAdapter

from mmdet2tflite.artifacts import Dataset, KerasModel, OnnxModel, RewrittenModel
from mmdet2tflite.backends.keras_runner import keras_ops
from mmdet2tflite.config.names import FormatName, PaddingName
from mmdet2tflite.convert.check import check_conversion
from mmdet2tflite.convert.keras.to_keras import KERAS, KerasConfig
from mmdet2tflite.errors import ModelError, ParityError
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.graph.rewrite import REWRITE, RewriteConfig
from mmdet2tflite.passport import Head, Passport, Preprocessing, Tensor
from mmdet2tflite.runtime.images import input_tensor
from mmdet2tflite.runtime.runners import OnnxRunner
from mmdet2tflite.stage import Job
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store
from tests.toolchain.golden import EVALUATION, TIMEOUT, TOLERANCE
from tests.toolchain.usual_networks import Network

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "formats.md"
OUTPUTS = {"cls_2": 1, "box_2": 4, "obj_2": 1}
"""Channels. Two outputs have one shape, so only their names tell them apart."""
WIDTH, HEIGHT = 64, 32


def write_network(path: Path) -> None:
    """A stride-2 convolution, a residual and a concatenation, on maps of 32 channels x 16 x 32.

    As many channels as columns: which of the two an axis is cannot be told from its length.
    """
    net = Network()
    x = net.node("Relu", net.conv("image", 3, 32, 3, 2))
    y = net.node("Relu", net.conv(x, 32, 32, 3))
    x = net.node("Concat", net.node("Add", x, y), y, axis=1)
    for name, channels in OUTPUTS.items():
        net.name(net.conv(x, 64, channels, 1), name)
    shapes = {name: [1, channels, 16, 32] for name, channels in OUTPUTS.items()}
    net.save(str(path), [1, 3, HEIGHT, WIDTH], 13, **shapes)
    model = onnx.load(path)
    model.graph.input[0].name = model.graph.node[0].input[0] = "input"
    onnx.save(model, path)


def saved_model_ops(path: Path) -> Counter[str]:
    """``keras_ops`` in a child: it takes TensorFlow's description of the file."""
    code = (
        "import json, pathlib, sys; from mmdet2tflite.backends.keras_runner import keras_ops; "
        "print(json.dumps(keras_ops(pathlib.Path(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", code, str(path)]
    run = subprocess.run(command, check=True, timeout=TIMEOUT, stdout=subprocess.PIPE)
    return Counter(json.loads(run.stdout))


@dataclass(frozen=True)
class Tiny:
    """The small network, and what is made of it."""

    store: Store
    dataset: Dataset
    onnx: OnnxModel

    def rewrite(self, padding: PaddingName) -> RewrittenModel:
        config = RewriteConfig(padding=padding, tolerance=TOLERANCE)
        return REWRITE.build(
            self.store, config, timeout=TIMEOUT, model=self.onnx, dataset=self.dataset
        )

    def convert(self, padding: PaddingName, file_format: FormatName) -> KerasModel:
        return KERAS.build(
            self.store,
            KerasConfig(format=file_format, tolerance=TOLERANCE),
            timeout=TIMEOUT,
            model=self.rewrite(padding),
            original=self.onnx,
            dataset=self.dataset,
        )


@pytest.fixture(scope="module")
def tiny(store, digits) -> Tiny:
    shapes = [(name, (1, channels, 16, 32)) for name, channels in OUTPUTS.items()]
    head = Head(
        family="yolox",
        classes=("digit",),
        strides=(2,),
        score_threshold=0.01,
        nms_iou=0.65,
        max_detections=100,
    )
    model = OnnxModel(
        head=head,
        preprocessing=Preprocessing(width=WIDTH, height=HEIGHT, std=(64.0, 64.0, 64.0)),
        outputs=tuple(Tensor(name=name, shape=shape) for name, shape in shapes),
        opset=13,
    )

    def make(work: Path) -> OnnxModel:
        write_network(work / model.file)
        return model

    return Tiny(store, digits, store.build("onnx", "tiny", make, origin={}))


@pytest.fixture(scope="module")
def rotated(tiny) -> KerasModel:
    return tiny.convert("mirror", "h5")


@pytest.fixture(scope="module")
def padded(tiny) -> KerasModel:
    return tiny.convert("explicit", "saved_model")


def test_the_keras_file_of_mirror_is_not_rotated_and_has_neither_pads_nor_transposes(tiny, rotated):
    assert rotated.metrics["check.relative"] <= TOLERANCE
    assert not rotated.rotation.input
    ops = keras_ops(tiny.store.path(rotated, rotated.file))
    assert (ops["reverse"], ops["pad"], ops["transpose"]) == (1 + len(OUTPUTS), 0, 0)
    assert ops["convolution"] == 5


def test_a_saved_model_has_the_pads_of_the_plan_and_no_transposes(tiny, padded):
    assert padded.metrics["check.relative"] <= TOLERANCE
    ops = saved_model_ops(tiny.store.path(padded, padded.file))
    assert ops["Pad"] + ops["PadV2"] == 1 == tiny.rewrite("explicit").pads
    assert (ops["Transpose"], ops["ReverseV2"], ops["Conv2D"]) == (0, 0, 5)


def test_a_rotated_file_says_so_and_is_run_so(tiny):
    model = tiny.convert("mirror_rotated", "saved_model")
    assert model.rotation.input
    assert set(model.rotation.outputs) == set(OUTPUTS)
    assert model.metrics["check.relative"] <= TOLERANCE
    assert saved_model_ops(tiny.store.path(model, model.file))["ReverseV2"] == 0


def test_the_graph_that_was_converted_is_left_as_it_was(tiny, rotated):
    graph = tiny.rewrite("mirror")
    recorded = tiny.store.manifest(graph)["files"][graph.file]["sha256"]
    assert file_sha256(tiny.store.path(graph, graph.file)) == recorded


def test_the_tflite_route_leaves_the_graph_as_it_was_too(main_path, variants):
    for variant in variants.values():
        graph = variant.rewritten
        recorded = main_path.store.manifest(graph)["files"][graph.file]["sha256"]
        assert file_sha256(main_path.store.path(graph, graph.file)) == recorded


@pytest.mark.parametrize("file_format", ["h5", "saved_model"])
def test_true_pads_have_no_place_in_these_formats(tiny, file_format):
    with pytest.raises(ModelError, match="no place for the true pads of 1 convolution"):
        tiny.convert("engine", file_format)


def test_a_file_that_is_not_near_enough_is_refused(tiny, rotated, tmp_path):
    (tmp_path / LOGS).mkdir()
    (tmp_path / rotated.file).symlink_to(tiny.store.path(rotated, rotated.file))
    # As if the file had been rotated: what it computes is another thing then.
    rotation = tiny.rewrite("mirror_rotated").rotation
    with pytest.raises(ParityError, match="float32 · h5 against the original ONNX: 3 of 3"):
        check_conversion(
            Job(tiny.store, tmp_path, TIMEOUT),
            rotated.model_copy(update={"rotation": rotation}),
            model=tiny.rewrite("mirror"),
            original=tiny.onnx,
            dataset=tiny.dataset,
            tolerance=TOLERANCE,
        )


@pytest.mark.parametrize(("loading", "made"), [("tf_keras", "rotated"), ("saved_model", "padded")])
def test_a_file_loads_and_computes_as_the_documentation_says(
    tiny, tmp_path, loading, made, request
):
    model = request.getfixturevalue(made)
    folder, photo = tiny.store.path(model), tmp_path / "photo.jpg"
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    cv2.imwrite(str(photo), cv2.GaussianBlur(picture, (5, 5), 0))
    before, *ways, after = blocks(DOCUMENTATION.read_text(encoding="utf-8"))
    (way,) = (block for block in ways if f"import {loading}" in block or f'"{loading}"' in block)
    code = "\n".join((before, way, after)).replace("photo.jpg", str(photo))
    code += f"\nimport numpy as np\nnp.savez({str(tmp_path / 'maps.npz')!r}, **maps)"
    code += "\nassert found.boxes.shape[1] == 4"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=TIMEOUT)
    tensor, _ = input_tensor(photo, model.preprocessing)
    reference = OnnxRunner(tiny.store.path(tiny.onnx, tiny.onnx.file), 1).infer(tensor)
    with np.load(tmp_path / "maps.npz") as maps:
        assert set(maps) == set(reference)
        for name, expected in reference.items():
            assert np.abs(maps[name] - expected).max() <= TOLERANCE * np.ptp(expected)


def blocks(text: str) -> list[str]:
    """The indented Python blocks of a Markdown text."""
    paragraphs = [line if line.startswith("    ") or not line else "|" for line in text.split("\n")]
    parts = "\n".join(paragraphs).split("|")
    return [textwrap.dedent(part) for part in parts if " = " in part]


def test_the_passport_beside_a_file_says_how_it_is_run(tiny, padded):
    text = tiny.store.path(padded, padded.passport).read_bytes()
    passport = TypeAdapter(Passport).validate_json(text)
    assert passport.outputs == padded.outputs
    assert {output.name: output.shape for output in passport.outputs} == {
        name: (1, 16, 32, channels) for name, channels in OUTPUTS.items()
    }
    assert (passport.strategy, passport.converter, passport.exact) == ("explicit", "onnx2tf", True)
    assert {"onnx2tf", "tensorflow", "tf-keras"} <= set(passport.tools)
    assert passport.ancestors["onnx"] == tiny.onnx.digest


def test_the_golden_network_detects_as_the_onnx_does(main_path, variants):
    store, dataset = main_path.store, main_path.dataset
    model = KERAS.build(
        store,
        KerasConfig(format="saved_model", tolerance=TOLERANCE),
        timeout=TIMEOUT,
        model=variants["mirror"].rewritten,
        original=main_path.onnx,
        dataset=dataset,
    )
    reference = main_path.reports["onnx"]
    report = EVALUATE.build(
        store, EVALUATION, timeout=TIMEOUT, model=model, dataset=dataset, reference=reference
    )
    assert (report.runtime, report.variant) == (
        "tensorflow",
        "mirror · onnx2tf · float32 · saved_model",
    )
    metrics = report.metrics
    assert metrics["parity.relative"] <= TOLERANCE
    assert (metrics["parity.lost"], metrics["parity.new"]) == (0, 0)
    assert f"{metrics['map']:.4f}" == f"{reference.metrics['map']:.4f}"
    assert (metrics["pads"], metrics["transposes"]) == (0, 0)
    # As many weights as the ONNX has, and a graph around them.
    assert 0.9 < metrics["size_mb"] / reference.metrics["size_mb"] < 1.5
    # TensorFlow's threads are set once for a process, so there is nothing to compare.
    assert not [name for name in metrics if name.startswith("latency_ms")]
