"""``mmdet2tflite detect``: what it draws and prints, how it names pictures, its exit statuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.errors import ConfigError, DataError, ImageError
from mmdet2tflite.report.detection import detect_images, name_pictures
from mmdet2tflite.runtime import Detector
from tests.corner_network import RIGHT_CELL, picture, write_detector


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", "detect", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "COLUMNS": "100"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A detector, and two folders with an image ``a.png`` each; that of ``dark`` shows nothing."""
    write_detector(tmp_path / "m.tflite")
    for name, image in (("light", picture()), ("dark", np.zeros((32, 64, 3), np.uint8))):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), image)
    (tmp_path / "dark" / "notes.txt").write_text("no image")
    return tmp_path


def test_a_line_for_each_detection_and_a_picture_for_each_image(folder):
    done = command("m.tflite", "light/a.png", "dark", "-o", "deep/out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "light/a.png: dog 1.00 36.0 0.0 68.0 32.0",
        "dark/a.png: nothing found",
    ]
    light, dark = (cv2.imread(str(folder / "deep/out" / n)) for n in ("a.png", "a-2.png"))
    drawn = np.argwhere((light != picture()).any(axis=2))
    # The box from x = 36 on, with a line of 2 pixels; its label stands in its corner.
    assert drawn[:, 1].min() in range(34, 37)
    assert drawn[:, 1].max() == 63
    assert not dark.any()


def test_json_is_one_object_for_all_images(folder):
    done = command("m.tflite", "light", "dark/a.png", "--json", "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    box = {"name": "dog", "label": 1, "score": 1.0, "box": RIGHT_CELL}
    assert json.loads(done.stdout) == {
        "images": [
            {"image": "light/a.png", "picture": "out/a.png", "detections": [box]},
            {"image": "dark/a.png", "picture": "out/a-2.png", "detections": []},
        ]
    }


@pytest.mark.parametrize(("options", "found"), [([], 1), (["--threshold", "0.6"], 0)])
def test_the_threshold_is_the_callers_or_three_tenths(folder, options, found):
    # A score of 0.5 (a logit of 20 - 20); that of the dark cell is 2e-9.
    write_detector(folder / "m.tflite")
    cv2.imwrite(str(folder / "half.png"), picture((20, 0, 0)))
    done = command("m.tflite", "half.png", "--json", "-o", "out", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["images"][0]["detections"]) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.tflite", "light"], "Model: none.tflite cannot be read"),
        (["m.tflite", "none.png"], "Image: none.png does not exist"),
        (["m.tflite", "dark/notes.txt"], "Image: dark/notes.txt: cannot be decoded"),
        (["m.tflite", "light", "--threads", "0"], "Usage:"),
    ],
)
def test_a_mistake_is_a_message_and_status_2(folder, arguments, message):
    done = command(*arguments, "-o", "out", cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def detect(folder: Path, *paths: str, out: str = "out") -> list[str]:
    detector = Detector(folder / "m.tflite")
    results = detect_images(detector, [folder / path for path in paths], folder / out)
    return [f"{result.image.relative_to(folder)}" for result in results]


def test_an_image_that_is_named_twice_is_looked_at_once(folder):
    assert detect(folder, "light/a.png", "light", "dark/../light/a.png") == ["light/a.png"]


def test_a_folder_without_images_is_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no images"):
        detect(folder, "light", "empty")


def test_paths_are_checked_before_the_first_picture_is_drawn(folder):
    with pytest.raises(ImageError, match=r"none\.png does not exist"):
        detect(folder, "light", "none.png")
    assert not (folder / "out").exists()


def test_an_image_is_never_replaced_by_its_picture(folder):
    before = (folder / "light" / "a.png").read_bytes()
    with pytest.raises(ConfigError, match="would replace an image"):
        detect(folder, "light", out="light")
    with pytest.raises(ConfigError, match="would replace an image"):
        detect(folder, "dark", "light", out="light")  # the picture of another image
    with pytest.raises(ConfigError, match="would replace an image"):
        detect(folder, "light", out="dark/../light")
    assert (folder / "light" / "a.png").read_bytes() == before


def test_a_file_in_the_place_of_the_folder_is_refused(folder):
    with pytest.raises(ConfigError, match=r"cannot write .*m\.tflite: File exists"):
        detect(folder, "light", out="m.tflite")


def test_a_folder_in_the_place_of_a_picture_is_refused(folder):
    (folder / "out" / "a.png").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"cannot write .*a\.png: Is a directory"):
        detect(folder, "light")


def test_an_image_without_a_usual_ending_gives_a_png(folder):
    (folder / "light" / "a.png").rename(folder / "light" / "photo.dat")
    assert detect(folder, "light/photo.dat") == ["light/photo.dat"]
    assert (folder / "out" / "photo.dat.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_have_names_of_their_own_on_every_file_system():
    images = [
        "x/a.jpg",
        "y/a.jpg",
        "z/A.JPG",
        "x/a-2.jpg",
        "x/a.png",
        "x/a",
        "y/a",
        "B.png",
        "b.png",
    ]
    pictures = name_pictures([Path(image) for image in images], Path("out"))
    assert [str(image) for image in pictures] == images
    assert [found.name for found in pictures.values()] == [
        "a.jpg",
        "a-2.jpg",
        "A-3.JPG",
        "a-2-2.jpg",
        "a.png",
        "a-2.png",
        "a-3.png",
        "B.png",
        "b-2.png",
    ]
