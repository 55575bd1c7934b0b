"""``dataset.split``: which pictures validate, and that the stage divides so."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import CocoData, MadeSplit, VocData, YoloData
from mmdet2tflite.config.loading import parse_experiment
from mmdet2tflite.data.made_split import choose
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import ConfigError, DataError
from mmdet2tflite.store.store import Store

ONE_CLASS = frozenset({0})


def pictures_in(sizes: list[int], chosen: set[int]) -> int:
    return sum(sizes[index] for index in chosen)


# --- which groups validate -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures", "val", "expected"), [(10, 0.2, 2), (364, 0.2, 73), (3, 0.01, 1), (3, 0.99, 2)]
)
def test_the_share_is_rounded_and_leaves_something_on_both_sides(
    pictures: int, val: float, expected: int
) -> None:
    chosen = choose([1] * pictures, [ONE_CLASS] * pictures, MadeSplit(val=val))
    assert len(chosen) == expected


def test_the_seed_alone_decides() -> None:
    sizes, classes = [1] * 50, [ONE_CLASS] * 50
    splits = [choose(sizes, classes, MadeSplit(seed=seed)) for seed in (0, 0, 1)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]


def test_groups_that_do_not_fit_are_left_out_and_the_share_is_kept() -> None:
    sizes = [50, *[7] * 5, *[1] * 15]  # 100 pictures
    for seed in range(20):
        chosen = choose(sizes, [ONE_CLASS] * len(sizes), MadeSplit(val=0.2, seed=seed))
        assert 0 not in chosen
        assert pictures_in(sizes, chosen) == 20


def test_where_all_groups_are_too_large_the_smallest_validates() -> None:
    assert choose([5, 4, 6], [ONE_CLASS] * 3, MadeSplit(val=0.1)) == {1}


def test_a_rare_class_is_on_both_sides_where_two_groups_show_it() -> None:
    classes = [frozenset({0, 1} if at < 2 else {0}) for at in range(100)]
    for seed in range(20):
        chosen = choose([1] * 100, classes, MadeSplit(val=0.1, seed=seed))
        assert len(chosen) == 10
        assert len(chosen & {0, 1}) == 1


def test_the_only_group_of_a_class_is_learnt_from() -> None:
    classes = [frozenset({1}), *[ONE_CLASS] * 9]
    assert all(0 not in choose([1] * 10, classes, MadeSplit(val=0.8, seed=s)) for s in range(20))


# --- the stage -----------------------------------------------------------------------------------


def scene(seed: int) -> np.ndarray:
    fields = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return np.kron(fields, np.ones((4, 4, 1), np.uint8))  # 36x32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten pictures with a cat each; the last two are the first again, one of them darker."""
    root = tmp_path / "source"
    root.mkdir()
    images, boxes = [], []
    for number in range(10):
        pixels = scene(0 if number > 7 else number)
        pixels = (pixels * 0.8).astype(np.uint8) if number == 9 else pixels
        assert cv2.imwrite(str(root / f"p{number}.png"), pixels)
        images.append({"id": number + 1, "file_name": f"p{number}.png"})
        boxes.append({"id": number + 1, "image_id": number + 1, "category_id": 1})
    boxes = [{**box, "bbox": [1, 2, 10, 12]} for box in boxes]
    categories = [{"id": 1, "name": "cat"}]
    values = {"images": images, "annotations": boxes, "categories": categories}
    (root / "all.json").write_text(json.dumps(values))
    return root


def config(root: Path, **split: Any) -> CocoData:
    train = {"annotations": "all.json"}
    values = {"kind": "coco", "root": root, "train": train, "split": split}
    return CocoData.model_validate(values)


def names(store: Store, dataset: Dataset) -> dict[str, set[str]]:
    return {
        split: {
            image["file_name"]
            for image in json.loads(store.path(dataset, f"{split}.json").read_text())["images"]
        }
        for split in ("train", "val")
    }


def test_a_split_is_made_of_train_and_groups_are_never_torn(root, store) -> None:
    for seed in range(5):
        dataset = DATASET.build(store, config(root, val=0.3, seed=seed), timeout=60)
        made = names(store, dataset)
        assert made["train"] | made["val"] == {f"p{number}.png" for number in range(10)}
        assert not made["train"] & made["val"]
        assert len(made["val"]) == 3
        assert len({"p0.png", "p8.png", "p9.png"} & made["val"]) in (0, 3)
        assert (dataset.metrics["split.groups"], dataset.metrics["split.largest_group"]) == (1, 3)
        assert dataset.metrics["val.boxes"] == 3
        assert "problems.leak" not in dataset.metrics
        assert dataset.metrics["problems.duplicate_file"] == 1


def test_by_image_equal_files_alone_stay_together(root, store) -> None:
    dataset = DATASET.build(store, config(root, by="image"), timeout=60)
    assert dataset.metrics["split.largest_group"] == 2


def test_share_seed_and_manner_are_in_the_key(root) -> None:
    keys = [
        DATASET.key(config(root, **split))
        for split in ({}, {"val": 0.3}, {"seed": 1}, {"by": "image"}, {"val": 0.2})
    ]
    assert len(set(keys[:4])) == 4
    assert keys[4] == keys[0]


def test_pictures_that_all_look_alike_are_not_divided_unless_by_image(root, store) -> None:
    for number in range(10):
        pixels = scene(0)
        pixels[0, 0] = number  # another content
        cv2.imwrite(str(root / f"p{number}.png"), pixels)
    with pytest.raises(DataError, match="all 10 pictures stay together") as caught:
        DATASET.build(store, config(root), timeout=60)
    assert "--set dataset.split.by=image" in caught.value.remedy
    assert DATASET.build(store, config(root, by="image"), timeout=60).val.images == 2


def test_one_picture_cannot_be_divided(root, store) -> None:
    values = json.loads((root / "all.json").read_text())
    values["images"] = values["images"][:1]
    kept = values["images"][0]["id"]
    values["annotations"] = [a for a in values["annotations"] if a["image_id"] == kept]
    (root / "all.json").write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        DATASET.build(store, config(root), timeout=60)
    assert caught.value.found == "dataset.split: the data set has one picture"


def test_a_class_without_a_box_to_validate_with_is_warned_of(root, store) -> None:
    values = json.loads((root / "all.json").read_text())
    values["categories"].append({"id": 2, "name": "dog"})
    values["annotations"][3]["category_id"] = 2
    (root / "all.json").write_text(json.dumps(values))
    dataset = DATASET.build(store, config(root), timeout=60)
    assert dataset.metrics["problems.not_validated"] == 1
    assert "p3.png" in names(store, dataset)["train"]


# --- YOLO, whose data.yaml names splits -----------------------------------------------------------


@pytest.fixture
def labelled(root: Path) -> Path:
    """The same pictures with labels beside them."""
    for path in root.glob("p*.png"):
        path.with_suffix(".txt").write_text("0 0.5 0.5 0.2 0.2\n")
    return root


def yolo(root: Path, split: dict[str, Any] | None, **data: Any) -> YoloData:
    (root / "data.yaml").write_text(json.dumps({"names": ["cat"], **data}))
    return YoloData.model_validate({"kind": "yolo", "data": root / "data.yaml", "split": split})


@pytest.mark.parametrize("val", [{}, {"val": None}, {"val": "."}], ids=["none", "null", "train"])
def test_a_yaml_without_a_val_of_its_own_is_divided(val, labelled, store) -> None:
    dataset = DATASET.build(store, yolo(labelled, {"val": 0.3}, train=".", **val), timeout=60)
    assert (dataset.train.images, dataset.val.images) == (7, 3)


@pytest.mark.parametrize(
    ("split", "data", "said"),
    [
        (None, {}, "val: it is missing; with dataset.split={val: 0.2} it is made of train"),
        ({}, {"val": "elsewhere"}, "val: it is named here, and dataset.split would make one"),
    ],
)
def test_a_yaml_and_an_experiment_that_disagree_are_refused(
    split, data, said, labelled, store
) -> None:
    with pytest.raises(DataError) as caught:
        DATASET.build(store, yolo(labelled, split, train=".", **data), timeout=60)
    assert said in caught.value.found


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "'dataset': val is missing: name the validation split, or let it be made"),
        ({"val": {}, "split": {}}, "'dataset': val names the validation split, and split would"),
        ({"split": {"val": 0}}, "'dataset.split.val': Input should be greater than 0"),
        ({"split": {"val": 1.0}}, "'dataset.split.val': Input should be less than 1"),
        ({"split": {"bye": "image"}}, "unknown key 'dataset.split.bye'; the nearest known key is"),
    ],
)
def test_settings_that_do_not_fit_are_refused(section: dict[str, Any], said: str) -> None:
    values = {"kind": "voc", "train": {}, **section}
    with pytest.raises(ConfigError) as caught:
        parse_experiment({"name": "mine", "dataset": values})
    assert said in caught.value.found


def test_either_a_split_that_is_named_or_one_that_is_made_is_accepted() -> None:
    for section in ({"val": {}}, {"split": {}}):
        VocData.model_validate({"kind": "voc", "train": {}, **section})
