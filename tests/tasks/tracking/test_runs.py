"""What MLflow is told of each model."""

import mlflow

from tests.tasks.conftest import ANALYSED, FAILED, ONNX, OPENVINO, Tracked


def files(tracked: Tracked, name: str) -> set[str]:
    run = tracked.runs[name].info.run_id
    return {file.path for file in mlflow.MlflowClient().list_artifacts(run)}


def test_every_file_that_a_model_consists_of_is_there(tracked: Tracked) -> None:
    assert "model.onnx" in files(tracked, ONNX)
    assert {"model.xml", "model.bin"} <= files(tracked, OPENVINO)
    for name in tracked.files:
        assert "model.tflite" in files(tracked, name)


def test_what_was_analysed_is_there_and_of_other_models_the_report_alone(tracked: Tracked) -> None:
    analysed = {name.replace("_", ".") for name in ANALYSED}
    for name in (OPENVINO, *tracked.files):
        assert {"report.json", *analysed} <= files(tracked, name)
    assert "report.json" in files(tracked, ONNX)
    assert not analysed & files(tracked, ONNX)


def test_what_quantisation_loses_is_there_for_files_that_have_it(tracked: Tracked) -> None:
    explicit, engine = (files(tracked, name) for name in tracked.files)
    assert "layers.json" in engine
    assert "layers.json" not in explicit


def test_only_tflite_files_that_were_measured_are_models_of_mlflows(tracked: Tracked) -> None:
    logged = {name: len(run.outputs.model_outputs) for name, run in tracked.runs.items()}
    assert logged == {"tiny": 0, ONNX: 0, OPENVINO: 0, FAILED: 0, **dict.fromkeys(tracked.files, 1)}


def test_a_model_is_ready_and_has_the_metrics_and_tags_of_its_run(tracked: Tracked) -> None:
    for name in tracked.files:
        run = tracked.runs[name]
        model = mlflow.get_logged_model(run.outputs.model_outputs[0].model_id)
        assert (model.status, model.source_run_id) == ("READY", run.info.run_id)
        assert {metric.key: metric.value for metric in model.metrics} == run.data.metrics
        assert run.data.metrics == {"map": len(name) / 10}
        assert model.params["strategy"] == run.data.tags["strategy"] == name.split(" ")[0]


def test_every_model_has_the_same_parameters_and_no_others(tracked: Tracked) -> None:
    none = {"strategy": "none", "converter": "none", "precision": "float32"}
    found = {name: run.data.params for name, run in tracked.runs.items() if name != "tiny"}
    assert found == {
        ONNX: none,
        OPENVINO: none,
        **{
            name: {**none, "strategy": name.split(" ")[0], "converter": "onnx2tf"}
            for name in (*tracked.files, FAILED)
        },
    }


def test_what_a_variant_is_made_by_stands_in_its_tags(tracked: Tracked) -> None:
    for name in (*tracked.files, FAILED):
        tags = tracked.runs[name].data.tags
        assert " · ".join(tags[tag] for tag in ("strategy", "converter", "precision")) == name
        assert (tags["stage"], tags["exact"]) == ("variant", "true")
    assert tracked.runs[OPENVINO].data.tags["stage"] == "variant"
