"""OpenVINO runs a graph like any other backend, on the threads it is told."""

import numpy as np
import pytest

from mmdet2tflite.artifacts import OpenvinoModel
from mmdet2tflite.backends.openvino_runner import OpenvinoRunner, ir_ops
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.errors import ModelError
from tests.quiet_openvino import ops, ov


@pytest.fixture
def graph(tmp_path):
    """``double`` is twice the image, ``padded`` has a row of zeros more."""
    image = ops.parameter([1, 3, 4, 6], np.float32)
    double = ops.multiply(image, np.float32(2))
    none, row = np.zeros(4, np.int64), np.array([0, 0, 1, 0])
    padded = ops.pad(image, row, none, "constant", np.float32(0))
    for node, name in ((double, "double"), (padded, "padded")):
        node.output(0).set_names({name})
    path = tmp_path / "model.xml"
    ov.save_model(ov.Model([double, padded], [image]), path, compress_to_fp16=False)
    return path


IMAGE = np.random.default_rng(1).standard_normal((1, 3, 4, 6)).astype(np.float32)


def test_outputs_come_by_the_names_that_were_asked_for(graph):
    outputs = OpenvinoRunner(graph, ["padded", "double"], 1).infer(IMAGE)
    np.testing.assert_array_equal(outputs["double"], 2 * IMAGE)
    assert outputs["padded"].shape == (1, 3, 5, 6)
    assert not outputs["padded"][:, :, 0].any()


def test_results_of_one_inference_outlive_the_next(graph):
    runner = OpenvinoRunner(graph, ["double"], 1)
    first = runner.infer(IMAGE)["double"]
    runner.infer(-IMAGE)
    np.testing.assert_array_equal(first, 2 * IMAGE)


def test_what_is_bound_computes_whenever_it_is_called(graph):
    runner = OpenvinoRunner(graph, ["double"], 1)
    run = runner.bind(np.full_like(IMAGE, 7))
    run()
    run()
    np.testing.assert_array_equal(runner._request.get_tensor("double").data, 14)


@pytest.mark.parametrize("threads", [1, 2])
def test_it_has_the_threads_that_it_was_given_and_computes_in_float32(graph, threads):
    model = OpenvinoRunner(graph, ["double"], threads)._request.get_compiled_model()
    assert model.get_property("INFERENCE_NUM_THREADS") == threads
    assert model.get_property("INFERENCE_PRECISION_HINT") == ov.Type.f32


def test_a_missing_output_is_named(graph):
    with pytest.raises(ModelError, match="cls") as caught:
        OpenvinoRunner(graph, ["cls"], 1)
    assert "cls" in caught.value.expected


def test_what_is_no_graph_does_not_load_and_has_no_operators(tmp_path):
    path = tmp_path / "model.xml"
    path.write_text("<net")
    with pytest.raises(ModelError, match="does not load in OpenVINO"):
        OpenvinoRunner(path, ["cls"], 1)
    with pytest.raises(ModelError, match="is not an OpenVINO graph"):
        ir_ops(path)


def test_operators_are_counted_without_constants_inputs_and_outputs(graph):
    assert ir_ops(graph) == {"Multiply": 1, "Pad": 1}


def test_the_table_runs_it_by_the_names_of_its_artefact(graph):
    model = OpenvinoModel.model_construct(outputs=[type("Output", (), {"name": "double"})])
    runner = BACKENDS["openvino"].open(model, graph.parent, "openvino", 1)
    assert list(runner.infer(IMAGE)) == ["double"]
