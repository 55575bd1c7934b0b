"""The second route to TFLite, by OpenVINO and openvino2tensorflow, passes the same checks."""

import numpy as np
import pytest

from mmdet2tflite.config.experiment import Latency
from mmdet2tflite.convert.convert import CONVERT
from mmdet2tflite.convert.to_openvino import OPENVINO, OpenvinoConfig
from mmdet2tflite.evaluate.evaluate import EVALUATE
from mmdet2tflite.standalone.convert_file import convert_file
from mmdet2tflite.standalone.request import Request
from mmdet2tflite.tflite.census import PADS, tflite_ops
from tests.toolchain.conftest import Variant, convert
from tests.toolchain.golden import EVALUATION, TIMEOUT, TOLERANCE
from tests.toolchain.usual_networks import Network

pytestmark = [pytest.mark.toolchain, pytest.mark.long]

STRATEGIES = ("explicit", "mirror")
STRIDED = 6  # as in test_padding.py
OUTPUTS = 9
TELEMETRY = "intel"
"""Where OpenVINO's leaves an identity in the home folder."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def by_openvino(main_path):
    """The golden network by two strategies. A conversion takes a minute and more."""
    store, dataset = main_path.store, main_path.dataset
    found = {}
    for padding in STRATEGIES:
        rewritten, tflite = convert(store, dataset, main_path.onnx, padding, "openvino")
        report = EVALUATE.build(
            store,
            EVALUATION,
            timeout=TIMEOUT,
            model=tflite,
            dataset=dataset,
            reference=main_path.reports["onnx"],
        )
        found[padding] = Variant(rewritten, tflite, store.path(tflite, tflite.file), report)
    return found


@pytest.mark.parametrize(("strategy", "pads"), [("explicit", STRIDED), ("mirror", 0)])
def test_a_golden_file_has_the_pads_of_the_plan_and_no_transposes(by_openvino, strategy, pads):
    ops = tflite_ops(by_openvino[strategy].path)
    assert sum(ops[name] for name in PADS) == pads == by_openvino[strategy].rewritten.pads
    assert ops["TRANSPOSE"] == 0
    assert ops["REVERSE_V2"] == (1 + OUTPUTS if strategy == "mirror" else 0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_golden_file_computes_what_the_onnx_computes(main_path, by_openvino, strategy):
    metrics = by_openvino[strategy].report.metrics
    assert metrics["parity.relative"] <= TOLERANCE
    assert (metrics["parity.lost"], metrics["parity.new"]) == (0, 0)
    assert f"{metrics['map']:.4f}" == f"{main_path.reports['onnx'].metrics['map']:.4f}"


def test_the_same_graph_by_another_converter_is_another_artefact(main_path, by_openvino):
    ours, other = by_openvino["explicit"].tflite, main_path.tflite
    assert (ours.converter, other.converter) == ("openvino", "onnx2tf")
    tools = [main_path.store.manifest(model)["origin"]["tools"] for model in (ours, other)]
    assert [("onnx2tf" in t, "openvino2tensorflow" in t) for t in tools] == [
        (False, True),
        (True, False),
    ]


def test_openvino_itself_computes_what_the_onnx_computes(main_path, home):
    store, dataset = main_path.store, main_path.dataset
    model = OPENVINO.build(
        store,
        OpenvinoConfig(tolerance=TOLERANCE),
        timeout=TIMEOUT,
        model=main_path.onnx,
        dataset=dataset,
    )
    assert model.metrics["check.relative"] <= TOLERANCE
    threads = EVALUATION.model_copy(update={"latency": Latency(warmup=1, runs=3, threads=(1, 2))})
    reference = EVALUATE.build(
        store, threads, timeout=TIMEOUT, model=main_path.onnx, dataset=dataset
    )
    report = EVALUATE.build(
        store, threads, timeout=TIMEOUT, model=model, dataset=dataset, reference=reference
    )
    assert (report.runtime, report.variant) == ("openvino", "OpenVINO")
    assert report.metrics["parity.relative"] <= TOLERANCE
    assert f"{report.metrics['map']:.4f}" == f"{reference.metrics['map']:.4f}"
    # As many weights as the ONNX has: nothing became float16.
    weights = store.path(model, model.weights).stat().st_size / 1e6
    assert report.metrics["size_mb"] > weights > 0.9 * reference.metrics["size_mb"]
    assert {"latency_ms.openvino.1", "latency_ms.openvino.2"} <= set(report.metrics)
    assert not (home / TELEMETRY).exists()


def test_what_openvino2tensorflow_misreads_comes_out_right(tmp_path, home):
    """Every rule of ``ir.normalise_ir``, and two outputs of one shape."""
    net = Network()
    maxima = net.node("MaxPool", "image", kernel_shape=[5, 3], pads=[2, 1, 1, 0], strides=[2, 2])
    x = net.node("Conv", maxima, net.weights(8, 3, 3, 3), pads=[0, 0, 2, 2])
    average = {"kernel_shape": [3, 3], "pads": [1, 0, 1, 1], "count_include_pad": 1}
    x = net.node("AveragePool", x, **average)
    operands = ([1, -1], [2**31, -(2**40)], [2, 3], [1, -1])
    x = net.node("Slice", x, *(net.constant(v, np.int64) for v in operands))
    upsampled = {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0]}
    x = net.node("ConvTranspose", x, net.weights(8, 8, 3, 3), **upsampled)
    for name in ("a", "b"):
        net.name(net.conv(x, 8, 2, 1), name)
    # 32 x 48 → MaxPool 16 x 24 → Conv 16 x 24 (SAME would have the size, too, and other pads)
    # → AveragePool 16 x 23 → Slice 15 x 23 → ConvTranspose (14 * 2 + 3 - 2 + 1) x (22 * 2 + 3 - 1)
    height, width = 30, 46
    net.save(tmp_path / "net.onnx", [1, 3, 32, 48], 13, a=[1, 2, "h", "w"], b=[1, 2, "h", "w"])
    request = Request(
        model=tmp_path / "net.onnx",
        out=tmp_path / "out",
        padding="explicit",
        converter="openvino",
        input_size=None,
        calibration=None,
        normalisation=None,
        tolerance=1e-5,
        timeout=TIMEOUT,
    )
    conversion = convert_file(request)
    assert conversion.metrics["pads"] == 3
    assert {output.name: output.shape for output in conversion.passport.outputs} == {
        name: (1, height, width, 2) for name in ("a", "b")
    }
    assert not (home / TELEMETRY).exists()


def test_a_change_of_one_converters_version_does_not_touch_the_others_artefacts(monkeypatch):
    from mmdet2tflite import stage
    from mmdet2tflite.convert.convert import ConvertConfig

    configs = [ConvertConfig(converter=name, tolerance=1e-4) for name in ("onnx2tf", "openvino")]
    before = [CONVERT.key(config) for config in configs]
    real = stage.version
    monkeypatch.setattr(stage, "version", lambda tool: real(tool) + ".1" * (tool == "openvino"))
    after = [CONVERT.key(config) for config in configs]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)
