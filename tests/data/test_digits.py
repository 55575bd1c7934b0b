import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.data.digits import (
    CLOUDS,
    CONTRAST,
    GRADIENT,
    GRAIN,
    LUMINANCE_BGR,
    OVERLAP,
    SPLITS,
    compose_scene,
    overlap,
    render,
    split_glyphs,
    write_digits,
)
from mmdet2tflite.errors import ConfigError

SMALL = DigitsData(kind="digits", train_images=4, val_images=3)
GLYPHS = split_glyphs(0)

scenes = st.builds(
    lambda seed, split, index: compose_scene(
        SMALL.model_copy(update={"seed": seed}), GLYPHS[split], split, index
    ),
    st.integers(0, 2**32),
    st.sampled_from(SPLITS),
    st.integers(0, 10_000),
)


def digest_of_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def pixels(values: np.ndarray) -> set[bytes]:
    return {picture.tobytes() for picture in values}


def test_the_same_config_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_digits(SMALL, tmp_path / name)
    files = digest_of_files(tmp_path / "one")
    assert files == digest_of_files(tmp_path / "two")
    assert len(files) == 4 + 3 + 2


def test_another_seed_draws_other_scenes(tmp_path: Path) -> None:
    write_digits(SMALL, tmp_path / "one")
    write_digits(SMALL.model_copy(update={"seed": 1}), tmp_path / "two")
    one, two = digest_of_files(tmp_path / "one"), digest_of_files(tmp_path / "two")
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_a_larger_data_set_begins_with_the_scenes_of_a_smaller_one(tmp_path: Path) -> None:
    write_digits(SMALL, tmp_path / "small")
    write_digits(SMALL.model_copy(update={"train_images": 6}), tmp_path / "large")
    small, large = digest_of_files(tmp_path / "small"), digest_of_files(tmp_path / "large")
    assert all(large[name] == small[name] for name in small if name.endswith(".png"))


def test_training_and_validation_share_no_handwriting() -> None:
    train, val = (np.concatenate(list(GLYPHS[split].values())) for split in SPLITS)
    assert len(train) + len(val) == 1797
    assert not pixels(train) & pixels(val)


def test_a_fifth_of_every_class_is_kept_for_validation() -> None:
    for label in range(10):
        train, val = (len(GLYPHS[split][label]) for split in SPLITS)
        assert train == round(0.8 * (train + val))


@settings(max_examples=50, deadline=None)
@given(scenes)
def test_a_box_is_the_tight_box_of_the_pixels_that_its_digit_changes(scene) -> None:
    empty = render(scene.background, ())
    for digit in scene.digits:
        changed = (render(scene.background, [digit]) != empty).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        x, y = columns[0], rows[0]
        assert digit.box == (x, y, columns[-1] + 1 - x, rows[-1] + 1 - y)


@settings(max_examples=50, deadline=None)
@given(scenes)
def test_boxes_lie_inside_the_image_and_hardly_overlap(scene) -> None:
    width, height = SMALL.size
    boxes = [digit.box for digit in scene.digits]
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    for number, box in enumerate(boxes):
        assert all(overlap(box, other) <= OVERLAP for other in boxes[:number])


@settings(max_examples=50, deadline=None)
@given(scenes)
def test_a_digit_stands_out_from_every_pixel_of_the_background(scene) -> None:
    # Cubic interpolation overshoots by at most 1.375 in each direction (a = -0.75, half-way), the
    # gradient reaches half its amplitude times |cos| + |sin| <= sqrt(2).
    deviation = CLOUDS * 1.375**2 + GRADIENT * 2**0.5 / 2 + GRAIN
    for digit in scene.digits:
        difference = np.abs((scene.background - digit.colour) @ LUMINANCE_BGR)
        assert difference.min() >= CONTRAST - deviation > 0


def test_training_and_validation_have_other_backgrounds() -> None:
    train, val = (compose_scene(SMALL, GLYPHS["val"], split, 0) for split in SPLITS)
    assert not np.array_equal(train.background, val.background)


def test_the_overlap_is_a_share_of_the_smaller_box() -> None:
    assert overlap((0, 0, 10, 10), (8, 6, 4, 5)) == (2 * 4) / (4 * 5)
    assert overlap((0, 0, 10, 10), (10, 0, 4, 5)) == 0
    assert overlap((0, 0, 10, 10), (12, 12, 4, 5)) == 0


def test_the_json_describes_the_images_beside_it(tmp_path: Path) -> None:
    write_digits(SMALL, tmp_path)
    for split, number in (("train", 4), ("val", 3)):
        coco = json.loads((tmp_path / f"{split}.json").read_text())
        assert [image["id"] for image in coco["images"]] == list(range(1, number + 1))
        assert coco["images"][0]["file_name"] == f"images/{split}/000001.png"
        for image in coco["images"]:
            shape = cv2.imread(str(tmp_path / image["file_name"])).shape
            assert shape == (image["height"], image["width"], 3) == (160, 256, 3)
        assert [category["name"] for category in coco["categories"]] == list("0123456789")
        assert [category["id"] for category in coco["categories"]] == list(range(10))
        boxes = coco["annotations"]
        assert [box["id"] for box in boxes] == list(range(1, len(boxes) + 1))
        assert all(box["area"] == box["bbox"][2] * box["bbox"][3] for box in boxes)


def test_the_json_holds_every_digit_of_the_scene_with_its_label(tmp_path: Path) -> None:
    coco = write_digits(SMALL, tmp_path)["val"]
    for index in range(SMALL.val_images):
        scene = compose_scene(SMALL, GLYPHS["val"], "val", index)
        written = [
            (box["category_id"], tuple(box["bbox"]))
            for box in coco["annotations"]
            if box["image_id"] == index + 1
        ]
        assert written == [(digit.label, digit.box) for digit in scene.digits]
        image = cv2.imread(str(tmp_path / f"images/val/{index + 1:06d}.png"))
        assert (image == render(scene.background, scene.digits)).all()


def test_every_scene_has_as_many_digits_as_asked_for_where_there_is_room() -> None:
    config = SMALL.model_copy(update={"digits_per_image": (3, 3), "digit_size": (10, 12)})
    for index in range(20):
        assert len(compose_scene(config, GLYPHS["train"], "train", index).digits) == 3


def test_a_digit_without_a_place_is_left_out() -> None:
    config = SMALL.model_copy(
        update={"size": (40, 40), "digits_per_image": (9, 9), "digit_size": (40, 40)}
    )
    for index in range(20):
        assert 1 <= len(compose_scene(config, GLYPHS["train"], "train", index).digits) < 9


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("digits_per_image", (6, 2), "swap"),
        ("digit_size", (84, 28), "swap"),
        ("digit_size", (28, 161), "--set dataset.digit_size=[28, 160]"),
    ],
)
def test_a_config_that_cannot_be_drawn_is_refused_with_a_remedy(
    setting: str, value: tuple[int, int], remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=setting) as caught:
        write_digits(SMALL.model_copy(update={setting: value}), tmp_path)
    assert remedy in caught.value.remedy
