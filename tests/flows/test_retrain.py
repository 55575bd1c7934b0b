"""Retraining, with a main path that only says what it would have made: who is champion, and why.

Store, MLflow's registry, the bootstrap and the rules are the real ones.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import retrain as module
from mmdet2tflite.errors import ConfigError, StoreError
from tests.flows.retrained_world import FILE, World


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database: MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def world(tmp_path: Path, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, tracking)
    monkeypatch.setattr(module, "config_to_dataset", made.dataset)
    monkeypatch.setattr(module, "detector_to_tflite", made.main_path)
    monkeypatch.setattr(module, "model_to_report", made.report)
    monkeypatch.setattr(module, "reports_to_decision", module.reports_to_decision.fn)
    monkeypatch.setattr(
        module, "create_markdown_artifact", lambda text, key: made.told.append(f"{key}: {text}")
    )
    return made


def test_data_that_are_still_changing_are_left_alone(world, monkeypatch):
    def changed(minutes_ago: float) -> None:
        when = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        monkeypatch.setattr(module, "newest_change", lambda config: when)

    changed(minutes_ago=4)
    waits = world.retrain(still_for_minutes=5)
    assert waits == (
        "nothing to do: the data changed 4.0 minutes ago; trained when they have been still for 5"
    )
    assert world.trainings == []
    assert world.told == [f"promotion-{world.key}: {waits}"]
    assert world.retrain(still_for_minutes=4).startswith("version 1 promoted")
    changed(minutes_ago=-60)  # by the clock of another machine
    world.data = "new"
    assert world.retrain().startswith("nothing to do: explicit")  # it was trained: the same file


def test_what_was_trained_on_the_same_data_is_not_trained_again_unless_asked_for(world):
    assert world.retrain().startswith(f"version 1 promoted: {FILE}; mAP 0.50")
    assert world.retrain() == "nothing to do: version 1 was trained on the same data"
    assert len(world.trainings) == 1
    same = world.retrain(even_if_unchanged=True)
    assert same == f"nothing to do: {FILE} is the champion's very file"
    assert len(world.trainings) == 2
    world.data, world.finds = "new", 2
    assert world.retrain().startswith("version 2 refused")
    assert world.retrain() == "nothing to do: version 2 was trained on the same data"
    assert [text.split(" ")[0] for text in world.told] == [f"promotion-{world.key}:"] * 5


def test_a_worse_one_is_refused_a_better_one_promoted_and_both_say_why(world):
    world.retrain()
    world.data, world.finds = "new", 2
    worse = world.retrain()
    assert worse.startswith(f"version 2 refused: {FILE}; mAP 0.1683 against the champion's 0.50")
    assert world.aliases() == {"champion": "1", "challenger": "2"}
    refused = world.registry().get("2")
    assert refused.tags["promotion"] == worse.removeprefix("version 2 ")
    assert "| accuracy | **no** |" in refused.description
    assert float(refused.tags["decision.map_lower_bound"]) < -0.3
    world.data, world.finds = "newer", 10
    assert world.retrain().startswith(f"version 3 promoted: {FILE}; mAP 0.83")
    assert world.aliases() == {"champion": "3", "previous": "1"}
    assert "| accuracy | yes |" in world.told[-1]


def test_the_champion_is_measured_on_the_data_as_they_are_now(world):
    world.retrain()
    world.data, world.finds = "new", 7
    world.retrain()
    measured = [a.key for a in world.store.finished() if a.stage == "report"]
    assert len([key for key in measured if key.startswith("6-1-new-1-")]) == 1


def test_a_slower_one_is_refused_for_its_latency_alone(world, monkeypatch):
    world.retrain()
    world.data, world.finds = "new", 9
    measure, world.latency = world.report, 13.0

    def champion_is_quick(*given):
        world.latency = 10.0
        return measure(*given)

    monkeypatch.setattr(module, "model_to_report", champion_is_quick)
    said = world.retrain()
    assert said == (
        f"version 2 refused: {FILE}; latency 13.00 ms against 10.00 ms: 1.30 times, allowed is 1.2"
    )


def test_a_training_starts_from_the_champions_weights_only_when_asked(world):
    world.retrain("training.seed=1", from_champion=True)
    world.data, world.finds = "new", 7
    world.retrain("training.seed=1", from_champion=True)
    weights = world.folder / "store" / "checkpoint" / "6-1" / "weights.pth"
    assert world.trainings == [
        ["training.seed=1"],
        ["training.seed=1", f"training.checkpoint={weights}"],
    ]


def test_a_champion_of_other_classes_stays_until_somebody_decides(world):
    world.retrain()
    world.classes, world.finds = ("cat", "dog"), 12
    said = world.retrain()
    assert "refused: " in said
    assert "other classes (cat) than the data set (cat, dog)" in said
    assert world.aliases() == {"champion": "1", "challenger": "2"}


def test_who_is_overtaken_by_another_promotion_is_refused_and_says_so(world, monkeypatch):
    world.retrain()
    world.data, world.finds = "new", 8
    decide = module.reports_to_decision

    def meanwhile(*given):
        registry = world.registry()
        run = registry.get("1").run_id
        import mlflow

        other = registry.add(mlflow.get_run(run), {}, "")
        registry.promote(other, replacing=registry.find("champion"))
        return decide(*given)

    monkeypatch.setattr(module, "reports_to_decision", meanwhile)
    said = world.retrain()
    assert said.startswith("version 3 refused: ")
    assert "compared with version 1, and the champion is version 2 by now" in said
    assert world.aliases() == {"champion": "2", "previous": "1", "challenger": "3"}


def test_what_cannot_work_is_said_before_anything_is_trained(world):
    with pytest.raises(ConfigError, match="precision is int8, and the experiment makes float32"):
        world.retrain("promotion.precision=int8")
    world.retrain()
    (tflite,) = (world.folder / "store" / "tflite").iterdir()
    tflite.rename(world.folder / "lost")
    world.data = "new"
    with pytest.raises(StoreError, match=r"the TfliteModel of .* version 1 is not in"):
        world.retrain()
    assert len(world.trainings) == 1
