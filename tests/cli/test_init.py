"""``mmdet2tflite init``: from a folder to an experiment that runs as it stands."""

import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mmdet2tflite.cli import init as command
from mmdet2tflite.cli import questions
from mmdet2tflite.cli.draft import propose
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.data.discovery.inspection import Inspected
from mmdet2tflite.data.discovery.proposals import Facts, Machine
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import ConfigError, DataError
from mmdet2tflite.report import terminal
from mmdet2tflite.store.store import Store
from tests.cli.invoke import invoke
from tests.data import folders


@pytest.fixture(autouse=True)
def small_machine(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr(command, "_machine", lambda: Machine(cores=2, memory=16e9, gpu=False))


@pytest.mark.parametrize("name", folders.FOLDERS)
def test_what_is_written_loads_and_its_data_set_is_made(name, tmp_path) -> None:
    root, out = tmp_path / "data", tmp_path / "mine.yaml"
    folders.FOLDERS[name](root)
    invoke("init", root, "-o", out)
    experiment = load_experiment(out)
    dataset = DATASET.build(Store(tmp_path / "store"), experiment.dataset, timeout=60)
    assert experiment.name == "mine"
    assert not list(Path(tempfile.gettempdir()).iterdir())
    assert dataset.classes == ("cat", "dog")
    assert (dataset.train.images, dataset.val.images) == (8, 2)
    assert experiment.detector.input_size == (64, 64)  # of pictures of 64x48
    assert experiment.training.batch_size == 2  # a quarter of 8
    oriented = experiment.detector.config.name == "rotated_rtmdet_nano.py"
    assert oriented == (name == "dota")


def test_every_line_of_a_setting_has_its_reason(tmp_path) -> None:
    folders.coco(tmp_path / "data")
    invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")
    lines = (tmp_path / "mine.yaml").read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#") and line[-1] != ":"]
    assert len(settings) > 15
    assert all("  # " in line for line in settings)


def test_what_was_found_is_printed_with_the_next_commands(tmp_path) -> None:
    folders.voc(tmp_path / "data")
    folders.picture(tmp_path / "data/shots/p1.png", 0)  # the same as p0.png
    said = " ".join(invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml").split())
    assert "Pascal VOC, no validation split: one is made" in said
    assert "pictures 10, all of 64x48" in said
    assert "1 file twice; 2 pictures look like others" in said
    assert "cat 5 15 px" in said  # 16x12, or 17x13 counted from 1: sqrt(221) = 14.9
    assert f"mmdet2tflite preview {tmp_path / 'mine.yaml'}" in said
    assert f"mmdet2tflite run {tmp_path / 'mine.yaml'}" in said


def test_a_data_sets_own_split_is_taken(tmp_path) -> None:
    for first, split in ((0, "train"), (10, "valid")):
        images = folders.pictures(tmp_path / split, first)
        folders.coco_json(tmp_path / split / "_annotations.json", images, tmp_path / split)
    said = invoke("init", tmp_path, "-o", tmp_path / "mine.yaml")
    dataset = load_experiment(tmp_path / "mine.yaml").dataset
    assert dataset.split is None
    assert dataset.val.annotations == Path("valid/_annotations.json")
    assert "10 to train, 10 to validate" in said


def test_look_alikes_in_both_splits_are_named(tmp_path) -> None:
    for first, split in ((0, "train"), (10, "val")):
        images = folders.pictures(tmp_path / split, first)
        folders.coco_json(tmp_path / split / "all.json", images, tmp_path / split)
    folders.picture(tmp_path / "val/p12.png", 2)
    with (tmp_path / "val/p12.png").open("ab") as file:
        file.write(b"more")  # another content, the same picture
    said = invoke("init", tmp_path, "-o", tmp_path / "mine.yaml")
    words = "1 group of look-alikes in both splits (p2.png and p12.png, for one)"
    assert words in " ".join(said.split())


def test_problems_that_can_be_mended_are_told_and_named_in_fix(tmp_path) -> None:
    folders.coco(tmp_path / "data")
    file = tmp_path / "data/labels.json"
    file.write_text(file.read_text().replace("[8, 6, 16, 12]", "[8, 6, 0, 12]", 1))
    said = invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")
    assert load_experiment(tmp_path / "mine.yaml").dataset.fix == ("zero_area",)
    assert "1 zero_area: the box is left out" in " ".join(said.split())


def test_corners_at_0_count_from_0(tmp_path) -> None:
    folders.voc(tmp_path / "data")
    file = tmp_path / "data/marks/p3.xml"
    file.write_text(file.read_text().replace("<xmin>8", "<xmin>0"))
    invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")
    assert load_experiment(tmp_path / "mine.yaml").dataset.first_pixel == 0


def test_paths_in_the_project_are_written_as_the_project_reads_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(command, "project_root", lambda: tmp_path)
    folders.voc(tmp_path / "data/cells")
    invoke("init", tmp_path / "data/cells", "-o", tmp_path / "mine.yaml")
    assert load_experiment(tmp_path / "mine.yaml").dataset.root == Path("data/cells")


def test_without_o_the_file_has_the_folders_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders.coco(tmp_path / "my cells")
    invoke("init", "my cells")
    assert load_experiment(tmp_path / "my-cells.yaml").name == "my-cells"


def test_a_split_that_leads_nowhere_is_named(tmp_path) -> None:
    folders.yolo(tmp_path / "data")
    file = tmp_path / "data/anything.yml"
    file.write_text(file.read_text().replace("val: images", "val: nowhere"))
    with pytest.raises(DataError, match=rf"val: {tmp_path}/data/nowhere cannot be read"):
        invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")


def test_pictures_that_all_look_alike_are_divided_by_image(tmp_path) -> None:
    folders.voc(tmp_path / "data")
    for number in range(10):
        folders.picture(tmp_path / f"data/shots/p{number}.png", 0)
        with (tmp_path / f"data/shots/p{number}.png").open("ab") as file:
            file.write(bytes([number]))  # another content, the same picture
    invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")
    assert load_experiment(tmp_path / "mine.yaml").dataset.split.by == "image"


# --- what is refused -----------------------------------------------------------------------------


def test_a_file_that_is_there_is_replaced_by_force_alone(tmp_path) -> None:
    folders.voc(tmp_path / "data")
    out = tmp_path / "mine.yaml"
    out.write_text("precious")
    with pytest.raises(ConfigError, match="is there already"):
        invoke("init", tmp_path / "data", "-o", out)
    assert out.read_text() == "precious"
    invoke("init", tmp_path / "data", "-o", out, "--force")
    assert load_experiment(out).name == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine.yaml"]


def test_nothing_is_written_where_a_problem_cannot_be_mended(tmp_path) -> None:
    folders.voc(tmp_path / "data")
    (tmp_path / "data/marks/p3.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"corrupt_xml: train: p3\.xml") as caught:
        invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml")
    assert not (tmp_path / "mine.yaml").exists()
    assert Path(caught.value.expected.rpartition(" ")[2]).is_file()  # the whole report


def test_questions_need_a_terminal(tmp_path) -> None:
    with pytest.raises(ConfigError, match="this is no terminal"):
        invoke("init", tmp_path, "--edit")


# --- questions -----------------------------------------------------------------------------------

INSPECTED = Inspected(
    settings={"kind": "coco", "classes": ["cat", "dog"], "split": {"val": 0.2, "by": "image"}},
    facts=Facts([(640, 480)] * 400, {"cat": [0.04] * 20, "dog": [0.5] * 20}, train=320),
    pictures={"train": 320, "val": 80},
    boxes={},
    problems={},
    groups=(),
    apart=(),
)
HAS_A_SPLIT = replace(INSPECTED, settings={"kind": "coco", "classes": ["cat", "dog"]})
PROPOSED = partial(propose, INSPECTED, Machine(cores=2, memory=16e9, gpu=False))


@pytest.fixture
def answer(monkeypatch):
    """Answer the questions with some lines; returns the answers and what was asked."""

    def run(*lines: str, proposed=PROPOSED) -> tuple[dict, list[str]]:
        left, asked = list(lines), []

        def reply(question: str) -> str:
            asked.append(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr(terminal.console, "input", reply)
        return questions.ask(proposed), asked

    return run


def test_empty_lines_keep_what_was_proposed(answer) -> None:
    answers, asked = answer("", "", "", "", "")
    assert answers == {}
    assert len(asked) == 5


def test_answers_are_taken_and_wrong_ones_asked_for_again(answer, capsys) -> None:
    lines = ("dgo", "dog", "2", "0.3", "none.py", "", "300x256", "416x256", "0", "12")
    answers, asked = answer(*lines)
    assert answers == {"classes": ["dog"], "val": 0.3, "input_size": [416, 256], "epochs": 12}
    assert len(asked) == 10
    said = " ".join(capsys.readouterr().out.split())
    assert "some of cat, dog" in said
    assert "the nearest is [288, 256]" in said
    assert "Value error" not in said
    assert "there is no none.py" in said


def test_what_is_proposed_follows_from_the_answers_before(answer) -> None:
    _, asked = answer("dog", "0.5", "configs/detectors/yolox_s.py", "", "")
    assert asked[3].endswith("\\[320x256]: ")  # of cats 416x320
    assert asked[4].endswith("\\[120]: ")  # 1500 * 16 / 200; of 320 pictures 80


def test_the_share_of_a_data_set_with_a_split_is_not_asked_for(answer) -> None:
    proposed = partial(propose, HAS_A_SPLIT, Machine(cores=2, memory=16e9, gpu=False))
    _, asked = answer("", "", "", "", proposed=proposed)
    assert len(asked) == 4


def test_an_end_of_the_input_is_an_error(answer) -> None:
    with pytest.raises(ConfigError, match="the input ended"):
        answer("")


def test_answers_stand_in_the_file_as_chosen(tmp_path, monkeypatch) -> None:
    folders.coco(tmp_path / "data")
    monkeypatch.setattr(command, "check_terminal", lambda: None)
    monkeypatch.setattr(sys, "stdin", None)
    replies = iter(["dog", "", "", "", "12"])
    monkeypatch.setattr(terminal.console, "input", lambda _: next(replies))
    invoke("init", tmp_path / "data", "-o", tmp_path / "mine.yaml", "--edit")
    experiment = load_experiment(tmp_path / "mine.yaml")
    assert experiment.dataset.classes == ("dog",)
    assert experiment.training.epochs == 12
    assert "epochs: 12 " in (text := (tmp_path / "mine.yaml").read_text())
    assert "# chosen" in text
