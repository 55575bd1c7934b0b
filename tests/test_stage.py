"""What a stage's key depends on, and what it does not."""

from pathlib import Path
from typing import Annotated, Any

import pytest

from mmdet2tflite import stage as stage_module
from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.config.base import ConfigSection, NotInKey
from mmdet2tflite.config.experiment import Evaluation, Latency
from mmdet2tflite.stage import KEY_LENGTH, Job, Stage
from mmdet2tflite.store.store import Store


def measure(job: Job, config: Evaluation, model: Artifact | None = None) -> Report:
    (job.work / "result.txt").write_text(f"{config.parity_images}")
    return Report(runtime="onnx", variant="explicit", model=model.digest if model else "")


def stage(**changes: Any) -> Stage[Report]:
    return Stage(**{"name": "measure", "run": measure, **changes})


def model(digest: str, **fields: Any) -> Report:
    return Report(runtime="onnx", variant="explicit", model="m", digest=digest, **fields)


CONFIG = Evaluation()


def test_the_same_question_has_the_same_key() -> None:
    key = stage().key(Evaluation(), model=model("a"))
    assert key == stage().key(Evaluation(), model=model("a"))
    assert len(key) == KEY_LENGTH


def test_the_key_changes_with_every_field_of_the_config_at_any_depth() -> None:
    configs = [CONFIG, Evaluation(parity_images=9), Evaluation(latency=Latency(runs=51))]
    assert len({stage().key(config) for config in configs}) == len(configs)


def test_a_config_of_several_sections_depends_on_each() -> None:
    sections = [(CONFIG, Latency()), (CONFIG, Latency(runs=51)), (Latency(), CONFIG)]
    assert len({stage().key(config) for config in sections}) == len(sections)


def test_the_key_changes_with_the_digest_of_an_input_and_with_nothing_else_of_it() -> None:
    key = stage().key(CONFIG, model=model("a"))
    assert stage().key(CONFIG, model=model("b")) != key
    assert stage().key(CONFIG, model=model("a", key="other", metrics={"mAP": 0.3})) == key


def test_it_matters_which_input_is_which_and_whether_it_is_there() -> None:
    a, b = model("a"), model("b")
    keys = {
        stage().key(CONFIG, model=a, reference=b),
        stage().key(CONFIG, model=b, reference=a),
        stage().key(CONFIG, model=a, reference=None),
        stage().key(CONFIG, model=a),
    }
    assert len(keys) == 4


def test_the_key_changes_with_the_name_of_the_stage() -> None:
    assert stage(name="other").key(CONFIG) != stage().key(CONFIG)


def test_the_key_changes_with_the_version_of_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage(tools=("numpy",)).key(CONFIG)
    monkeypatch.setattr(stage_module, "version", lambda tool: "99.0")
    assert stage(tools=("numpy",)).key(CONFIG) != before


def test_the_config_may_decide_which_tools_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def tools(config: Evaluation) -> tuple[str, ...]:
        return ("numpy",) if config.parity_images == 8 else ("torch",)

    configs = Evaluation(parity_images=8), Evaluation(parity_images=9)
    before = [stage(tools=tools).key(config) for config in configs]
    version = stage_module.version
    monkeypatch.setattr(
        stage_module, "version", lambda tool: version(tool) + "+" * (tool == "numpy")
    )
    after = [stage(tools=tools).key(config) for config in configs]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


class Named(ConfigSection):
    file: Path | None
    others: tuple[Path, ...] = ()
    quick: Annotated[int, NotInKey("only how fast it is")] = 1
    number: int = 1


def test_neither_a_path_nor_a_setting_that_changes_no_result_is_in_the_key() -> None:
    key = stage().key(Named(file=Path("a")))
    assert stage().key(Named(file=Path("/tmp/a"), others=(Path("b"),), quick=2)) == key
    assert stage().key(Named(file=Path("a"), number=2)) != key


def test_what_is_in_no_key_stands_in_the_manifest_all_the_same(tmp_path: Path) -> None:
    config, store = Named(file=Path("a"), quick=2), Store(tmp_path)
    silent = stage(run=lambda job, config: Report(runtime="onnx", variant="v", model="m"))
    origin = store.manifest(silent.build(store, config, timeout=1.0))["origin"]
    assert origin["config"] == {"others": [], "number": 1}
    assert origin["given"] == {"file": "a", "others": [], "quick": 2, "number": 1}


def test_the_key_changes_with_the_state_outside_which_is_asked_with_the_config(
    tmp_path: Path,
) -> None:
    file = tmp_path / "weights.pth"
    asked: list[Any] = []

    def content(config: Any) -> str:
        asked.append(config)
        return file.read_text()

    dependent = stage(outside=content)
    file.write_text("one")
    before = dependent.key(CONFIG)
    file.write_text("two")
    assert dependent.key(CONFIG) != before
    assert asked == [CONFIG, CONFIG]


def test_building_runs_the_stage_once_and_stores_it_under_the_key(tmp_path: Path) -> None:
    store, calls = Store(tmp_path), []

    def counted(job: Job, config: Evaluation, model: Artifact) -> Report:
        calls.append(job.timeout)
        return measure(job, config, model)

    counting = stage(run=counted)
    first = counting.build(store, CONFIG, timeout=12.0, model=model("a"))
    second = counting.build(store, CONFIG, timeout=99.0, model=model("a"))
    assert first == second == store.find("measure", counting.key(CONFIG, model=model("a")))
    assert calls == [12.0]
    assert store.path(first, "result.txt").read_text() == "8"


def test_a_store_that_was_filled_before_is_said_to_be_once_and_its_artefacts_are_made_anew(
    tmp_path: Path,
) -> None:
    store, said = Store(tmp_path), []
    silent = Report(runtime="onnx", variant="v", model="m")
    store.build("measure", "old", lambda work: silent, origin={"config": {}})
    for config in (Evaluation(), Evaluation(parity_images=9)):
        stage().build(store, config, timeout=1.0, on_progress=said.append)
    (message,) = said
    assert f"{store.root}/measure holds artefacts of an earlier version" in message["caution"]
    assert len(store.finished()) == 3


def test_of_a_store_that_this_version_filled_nothing_is_said(tmp_path: Path) -> None:
    store, said = Store(tmp_path), []
    for config in (Evaluation(), Evaluation(parity_images=9)):
        stage().build(store, config, timeout=1.0, on_progress=said.append)
    assert said == []


def test_the_manifest_tells_what_the_key_was_made_of(tmp_path: Path) -> None:
    store = Store(tmp_path)
    built = stage(tools=("numpy",)).build(store, CONFIG, timeout=1.0, model=model("a"))
    origin = store.manifest(built)["origin"]
    assert origin["config"] == CONFIG.model_dump(mode="json")
    assert origin["inputs"] == {"model": "a"}
    assert list(origin["tools"]) == ["numpy"]
