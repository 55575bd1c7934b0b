"""``mmdet2tflite detect``: what it draws and prints, how it names pictures, its exit statuses."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.errors import ConfigError, DataError, ImageError
from mmdet2tflite.report.detection import (
    detect_images,
    name_pictures,
    print_detections,
    print_json,
)
from mmdet2tflite.runtime import Detector
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright
from mmdet2tflite.runtime.detector import NamedDetections, named
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


class Turned:
    """A detector of oriented boxes: in a bright image one dog, in a dark one nothing.

    The angle's cosine is 0.8, its sine 0.6: half of the sides are (16, 12) / 2 and (-6, 8) / 2.
    """

    classes = ("cat", "dog")

    def __call__(self, image: Path) -> NamedDetections:
        oriented = np.array([[32, 16, 20, 10, np.arctan2(3, 4)]], np.float32)
        boxes, scores = upright(oriented), np.array([0.75], np.float32)
        found = Detections(boxes, scores, np.array([1]), oriented=oriented)
        return named(found if cv2.imread(str(image)).any() else found[:0], self.classes)


CORNERS = [[27, 6], [43, 18], [37, 26], [21, 14]]


def test_oriented_boxes_are_listed_with_corners_and_degrees(folder, capsys):
    paths = [folder / "light" / "a.png", folder / "dark"]
    print_detections(detect_images(Turned(), paths, folder / "out"))
    # atan(3/4) is 36.87 degrees.
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/light/a.png: dog 0.75 27.0 6.0 43.0 18.0 37.0 26.0 21.0 14.0 36.9",
        f"{folder}/dark/a.png: nothing found",
    ]


def test_json_has_corners_and_degrees_of_oriented_boxes(folder, capsys):
    print_json(detect_images(Turned(), [folder / "light", folder / "dark"], folder / "out"))
    light, dark = json.loads(capsys.readouterr().out)["images"]
    (box,) = light["detections"]
    assert list(box) == ["name", "label", "score", "box", "corners", "angle_degrees"]
    assert np.allclose(box["box"], [21, 6, 43, 26], atol=1e-5)
    assert np.allclose(box["corners"], CORNERS, atol=1e-5)
    assert box["angle_degrees"] == pytest.approx(36.8699, abs=1e-4)
    assert dark["detections"] == []


def test_an_oriented_box_is_drawn_turned(folder):
    (drawn,) = detect_images(Turned(), [folder / "light"], folder / "out")
    inked = (cv2.imread(str(drawn.picture)) != picture()).any(axis=2)
    for start, end in itertools.pairwise(CORNERS[1:]):
        points = np.linspace(start, end, 20).astype(int)
        assert inked[points[:, 1], points[:, 0]].all()
    assert not inked[22:, 20:29].any()  # the lower left corner of the box around it
    assert not inked[27:].any()


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
