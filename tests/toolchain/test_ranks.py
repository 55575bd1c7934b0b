"""Are several processes, on one machine or two, one training with one result?"""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdet2tflite.cli.train_node import train_node
from mmdet2tflite.config.experiment import DetectorConfig, Experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector import launch
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.store.store import Store
from tests.toolchain.golden import SIZE, TIMEOUT
from tests.toolchain.ranks import DIGITS, EPOCHS, IMAGES, PROBE, Trained, train, training

pytestmark = [pytest.mark.toolchain, pytest.mark.long]


@pytest.fixture(scope="module")
def probed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "WORKER", PROBE)
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def trained(probed: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """By two processes of one machine."""
    return train(Store(tmp_path_factory.mktemp("ranks")), processes=2)


def test_both_ranks_end_with_the_same_weights_and_the_same_average_of_them(trained):
    first, second = trained.ranks()
    assert first["weights"] == second["weights"]
    assert first["averaged"] == second["averaged"] != first["weights"]


def test_every_image_is_trained_on_once_in_an_epoch_by_one_of_the_ranks(trained):
    first, second = trained.ranks()
    epochs = [sorted(a + b) for a, b in zip(first["images"], second["images"], strict=True)]
    assert epochs == [list(range(1, IMAGES + 1))] * EPOCHS
    assert first["images"][0] != first["images"][1]  # another order in each


def test_ranks_augment_by_different_chance(trained):
    first, second = trained.ranks()
    assert first["chance"] != second["chance"]


def test_only_the_first_rank_writes_and_each_line_once(trained):
    first, _ = trained.ranks()
    assert len(first["lines"]) == 1 + 2 * EPOCHS  # of the start; of training and validation
    assert [name for name in first["files"] if not name.endswith(".py")] == [
        "best.pth",
        "curves.jsonl",
        "epoch_1.pth",
        "epoch_2.pth",
        "last_checkpoint",
        "rank_1/start.pth",
        "start.pth",
    ]


def test_the_recorded_map_is_that_of_the_averaged_weights_in_one_process(
    trained, tmp_path, monkeypatch
):
    from mmdet2tflite.detector import compat

    compat.prepare()
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmdet2tflite.detector import cached_dataset  # noqa: F401  (registers itself)

    dataset = DATASET.build(trained.store, DIGITS, timeout=TIMEOUT)
    monkeypatch.chdir(trained.store.path(dataset))  # where the config's paths start
    place = trained.store.path(trained.checkpoint)
    config = Config.fromfile(place / "config.py")
    config.work_dir, config.load_from = str(tmp_path), str(place / "last.pth")
    config.custom_hooks = []
    metrics = Runner.from_cfg(config).test()
    last = trained.curves()[-1]
    assert last["epoch"] == EPOCHS
    assert last["map"] == metrics["coco/bbox_mAP"] > 0.1
    assert last["map_75"] == metrics["coco/bbox_mAP_75"]


def test_two_machines_of_one_process_train_what_one_machine_of_two_does(trained, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"machines": 2, "rendezvous": f"127.0.0.1:{free.getsockname()[1]}"}
    here, there = (Store(tmp_path_factory.mktemp(name)) for name in ("here", "there"))
    experiment = Experiment(
        name="two",
        dataset=DIGITS,
        detector=DetectorConfig(input_size=SIZE),
        training=training(**meeting),
        store=there.root,
    )
    other = threading.Thread(target=train_node, args=(experiment, 1))
    other.start()
    found = train(here, **meeting)
    other.join()
    assert found.curves() == trained.curves()
    assert found.ranks() == [{**trained.ranks()[0], "files": found.ranks()[0]["files"]}]
    # The other machine keeps its data set, and nothing of the training.
    assert [artifact.stage for artifact in there.finished()] == ["dataset"]
    assert not any(path.is_file() for path in there.work.joinpath("train-node").rglob("*"))


def test_machines_that_train_different_things_are_refused(monkeypatch):
    from mmdet2tflite.detector import compat

    compat.prepare()
    from mmdet2tflite.detector import ranks

    mine = {"inputs": {"dataset": "1"}, "tools": {"torch": "2"}, "stage": "checkpoint"}
    other = {**mine, "inputs": {"dataset": "2"}}
    monkeypatch.setattr(ranks, "all_gather_object", lambda origin: [mine, origin])
    ranks.check_agreement(mine)
    with pytest.raises(ConfigError, match="disagree about its inputs"):
        ranks.check_agreement(other)


@pytest.mark.parametrize(("machines", "node"), [(1, 1), (2, 2)])
def test_a_machine_too_many_is_refused(machines, node, tmp_path: Path):
    meeting = {"rendezvous": "127.0.0.1:1"} if machines > 1 else {}
    experiment = Experiment(
        name="none",
        dataset=DIGITS,
        training=training(machines=machines, **meeting),
        store=str(tmp_path),
    )
    with pytest.raises(ConfigError, match=f"this is machine {node}, and .*machines is {machines}"):
        train_node(experiment, node)


def test_several_machines_need_a_place_to_meet(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"training\.machines is 2, and they have no place"):
        train(Store(tmp_path), machines=2)
