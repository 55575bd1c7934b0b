"""``runtime.Detector``: a file and a picture give the boxes that the arithmetic says."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ConfigError, ImageError, ModelError
from mmdet2tflite.passport import Preprocessing, Rotation
from mmdet2tflite.runtime import Detector
from mmdet2tflite.runtime import detector as runtime
from tests.corner_network import BRIGHT, CHANNELS, HEAD, RIGHT_CELL, picture, write_detector


def boxes(path: Path, image=None, **call) -> list[list[float]]:
    return Detector(path)(picture() if image is None else image, **call).boxes.tolist()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_detector(tmp_path / "m.tflite")


# --- what the passport says ---------------------------------------------------------------------


def test_a_picture_gives_box_score_label_and_name(path):
    found = Detector(path)(picture())
    assert found.boxes.tolist() == [RIGHT_CELL]
    assert found.scores.tolist() == [1.0]  # sigmoid(20)² in float32
    assert (found.labels.tolist(), found.names) == ([1], ["dog"])


def test_nothing_found_is_empty_and_keeps_its_shape(path):
    found = Detector(path)(np.zeros((32, 64, 3), np.uint8))
    assert (found.boxes.shape, found.names, len(found)) == ((0, 4), [], 0)


def test_a_part_of_the_detections_keeps_the_names(path):
    both = np.tile(picture()[:, 32:], (1, 2, 1))
    found = Detector(path)(both)
    assert len(found) == 2
    assert found[:1].names == found.best(1).names == ["dog"]


@pytest.mark.parametrize("scale", [2, 3])
def test_boxes_are_in_pixels_of_the_image_whatever_its_size(path, scale):
    image = picture().repeat(scale, axis=0).repeat(scale, axis=1)
    assert boxes(path, image) == [[scale * side for side in RIGHT_CELL]]


def test_a_margin_of_the_letterbox_has_the_passports_value(tmp_path):
    # 32 x 32: the right half of the input is margin, and its value is bright in every channel.
    wide = Preprocessing(width=64, height=32, pad_value=40)
    path = write_detector(tmp_path / "m.tflite", preprocessing=wide)
    assert boxes(path, np.zeros((32, 32, 3), np.uint8)) == [[32 + 40, 0, 64 + 40, 32]]


def test_the_colour_order_of_the_network_is_the_passports(tmp_path):
    rgb = Preprocessing(width=64, height=32, colour_order="rgb")
    path = write_detector(tmp_path / "m.tflite", preprocessing=rgb)
    assert boxes(path, picture(BRIGHT)) == []
    assert boxes(path, picture(BRIGHT[::-1])) == [RIGHT_CELL]


def test_mean_and_std_are_the_passports(tmp_path):
    values = Preprocessing(width=64, height=32, mean=(10, 0, 0), std=(2, 1, 1))
    path = write_detector(tmp_path / "m.tflite", preprocessing=values)
    assert boxes(path, picture((10 + 2 * 40, 4, 0))) == [RIGHT_CELL]
    assert boxes(path, picture((10 + 2 * 10, 4, 0))) == []  # a logit of 10 - 20


def test_a_rotated_network_gives_the_boxes_of_the_unrotated_one(tmp_path):
    rotation = Rotation(input=True, outputs=tuple(CHANNELS))
    path = write_detector(tmp_path / "m.tflite", rotated=True, rotation=rotation)
    image = np.zeros((32, 64, 3), np.uint8)
    image[0, 32] = BRIGHT
    assert boxes(path, image) == [RIGHT_CELL]


def test_an_output_that_is_not_among_the_rotated_ones_stays_as_it_is(tmp_path):
    # Rotated, the bright cell is the left one, and objectness says so; boxes are rotated back, and
    # that of the left cell has not moved.
    rotation = Rotation(input=True, outputs=("cls_32", "box_32"))
    path = write_detector(tmp_path / "m.tflite", rotated=True, rotation=rotation)
    assert boxes(path) == [[0, 0, 32, 32]]


@pytest.mark.parametrize("first", [("box_32",), tuple(CHANNELS)], ids=["one", "all"])
def test_an_output_may_be_channels_first(tmp_path, first):
    assert boxes(write_detector(tmp_path / "m.tflite", first=first)) == [RIGHT_CELL]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_integer_inputs_and_outputs_stand_for_reals(tmp_path, dtype):
    # 4 / 32 + 0.5 = 0.625 is a multiple of 0.125 only: 0.5 and 0.75 are 4 pixels from it.
    shift = 4 if dtype is np.int16 else 8
    image = picture((40, shift, 0))
    path = write_detector(tmp_path / "m.tflite", dtype=dtype)
    assert boxes(path, image) == [[32 + shift, 0, 64 + shift, 32]]


@pytest.mark.parametrize(("strategy", "expected"), [("engine", [RIGHT_CELL]), ("widen", [])])
def test_flags_are_honoured_if_the_strategy_is_engine(tmp_path, strategy, expected):
    image = np.zeros((32, 64, 3), np.uint8)
    image[::2, 32::2] = BRIGHT  # what the flagged convolution takes with its true pads
    path = write_detector(tmp_path / "m.tflite", flagged=True, strategy=strategy)
    assert boxes(path, image) == expected


# --- what the caller says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passports", "given", "found"),
    [(0.4, None, 1), (0.6, None, 0), (0.6, 0.4, 1), (0.4, 0.6, 0), (0.4, 0, 2), (0.4, 1, 0)],
)
def test_a_score_threshold_goes_before_the_passports(tmp_path, passports, given, found):
    head = replace(HEAD, score_threshold=passports)
    path = write_detector(tmp_path / "m.tflite", head=head)
    image = picture((20, 0, 0))  # sigmoid(0) = 0.5
    assert len(Detector(path, score_threshold=given)(image)) == found


@pytest.mark.parametrize("threshold", [-0.1, 30, float("nan")])
def test_a_score_threshold_that_is_no_probability_is_refused(path, threshold):
    with pytest.raises(ConfigError, match=f"a score threshold of {threshold}"):
        Detector(path, score_threshold=threshold)


def test_threads_and_xnnpack_reach_litert(path, monkeypatch):
    given = {}
    original = runtime.open_tflite

    def open_tflite(passport, path, threads, xnnpack):
        given.update(threads=threads, xnnpack=xnnpack)
        return original(passport, path, threads, xnnpack)

    monkeypatch.setattr(runtime, "open_tflite", open_tflite)
    found = Detector(path, threads=3, xnnpack=False)(picture())
    assert given == {"threads": 3, "xnnpack": False}
    assert found.boxes.tolist() == [RIGHT_CELL]


def test_an_array_may_be_rgb_and_any_view(path):
    rgb = picture()[..., ::-1]
    assert boxes(path, rgb, colour_order="rgb") == [RIGHT_CELL]
    assert boxes(path, np.ascontiguousarray(rgb), colour_order="rgb") == [RIGHT_CELL]
    assert boxes(path, np.asfortranarray(picture())) == [RIGHT_CELL]
    assert boxes(path, picture()[:, ::-1][:, ::-1]) == [RIGHT_CELL]


def test_an_array_is_left_as_it_was(path):
    image = picture()
    boxes(path, image, colour_order="rgb")
    assert (image == picture()).all()


def test_files_are_given_by_path_or_as_bytes_and_know_their_own_colours(path, tmp_path):
    file = tmp_path / "ä.png"
    file.write_bytes(cv2.imencode(".png", picture())[1].tobytes())
    for image in (file, str(file), file.read_bytes()):
        for order in ("bgr", "rgb"):
            assert boxes(path, image, colour_order=order) == [RIGHT_CELL]


def test_a_list_gives_the_detections_of_each_image_in_its_order(path, tmp_path):
    dark = np.zeros((32, 64, 3), np.uint8)
    twice = picture().repeat(2, axis=0).repeat(2, axis=1)
    found = Detector(path)([dark, picture(), twice])
    expected = [[], [RIGHT_CELL], [[2 * side for side in RIGHT_CELL]]]
    assert [each.boxes.tolist() for each in found] == expected
    assert Detector(path)([]) == []


# --- pictures that are refused ------------------------------------------------------------------

WRONG = {
    "grey": (np.zeros((4, 6), np.uint8), "an array of 4 x 6", "GRAY2BGR"),
    "one channel": (np.zeros((4, 6, 1), np.uint8), "an array of 4 x 6 x 1", "GRAY2BGR"),
    "bgra": (np.zeros((4, 6, 4), np.uint8), "an array of 4 x 6 x 4", "BGRA2BGR"),
    "batch": (np.zeros((2, 4, 6, 3), np.uint8), "an array of 2 x 4 x 6 x 3", "a list of arrays"),
    "scalar": (np.array(7, np.uint8), "an array of no axes", "a list of arrays"),
    "no rows": (np.zeros((0, 6, 3), np.uint8), "an array of 0 x 6 x 3, without pixels", ""),
    "no columns": (np.zeros((4, 0, 3), np.uint8), "an array of 4 x 0 x 3, without pixels", ""),
    "reals": (np.zeros((4, 6, 3)), "an array of float64", "np.rint(image * 255)"),
    "narrow": (np.zeros((1000, 3, 3), np.uint8), "an image of 3 x 1000 pixels", "cut it"),
    "no image": (b"GIF is what it says", "cannot be decoded", "replace the file"),
    "no bytes": (b"", "cannot be decoded", "replace the file"),
    "object": (7, "an object of the type int", "image.convert('RGB')"),
    "nothing": (None, "an object of the type NoneType", "image.convert('RGB')"),
}


@pytest.mark.parametrize(("image", "found", "remedy"), WRONG.values(), ids=WRONG)
def test_a_picture_that_cannot_be_used_is_refused_with_a_remedy(path, image, found, remedy):
    with pytest.raises(ImageError) as error:
        Detector(path)(image)
    assert error.value.found.startswith(f"the image: {found}")
    assert remedy in error.value.remedy


def test_a_refusal_names_the_file_or_the_place_in_the_list(path, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    for image, name in [
        (tmp_path / "none.jpg", f"{tmp_path / 'none.jpg'}: cannot be read: No such file"),
        (str(text), f"{text}: cannot be decoded"),
        ([picture(), picture()[..., :1]], "image 2 of 2: an array of 32 x 64 x 1"),
        ([picture(), text], f"{text}: cannot be decoded"),
    ]:
        with pytest.raises(ImageError) as error:
            Detector(path)(image)
        assert error.value.found.startswith(name)


def test_a_colour_order_that_does_not_exist_is_refused(path):
    with pytest.raises(ConfigError, match="'RGB'"):
        Detector(path)(picture(), colour_order="RGB")


# --- files that are refused ---------------------------------------------------------------------


def test_a_file_that_was_converted_alone_is_no_detector(tmp_path):
    for changes in ({"head": None}, {"preprocessing": None}):
        path = write_detector(tmp_path / "m.tflite", **changes)
        with pytest.raises(ModelError, match=r"m\.tflite is no detector") as error:
            Detector(path)
        assert "open_flagged" in error.value.remedy


def test_a_family_without_a_decoder_here_asks_for_an_upgrade(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "FAMILIES", {"other": None})
    path = write_detector(tmp_path / "m.tflite")
    with pytest.raises(ModelError, match="of the family yolox") as error:
        Detector(path)
    assert (error.value.expected, "upgrade" in error.value.remedy) == ("one of other", True)


def test_a_file_that_is_cut_off_does_not_load(tmp_path):
    path = write_detector(tmp_path / "m.tflite")
    content = path.read_bytes()
    for length in range(8, len(content), len(content) // 20):
        path.write_bytes(content[:length])
        with pytest.raises(ModelError):
            Detector(path)


# --- what it needs ------------------------------------------------------------------------------

ALONE = """
import sys
sys.path[:0] = [{root!r}, {packages!r}]
ALLOWED = {{"ai_edge_litert", "cv2", "flatbuffers", "mmdet2tflite", "numpy"}}

class Blocker:
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ImportError(f"{{name}} is not installed")

sys.meta_path.insert(0, Blocker)
from mmdet2tflite.runtime import Detector
print(Detector({model!r})({image!r}).boxes.tolist())
foreign = {{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names - ALLOWED
print(sorted(foreign - {{"__main__"}}))
"""


@pytest.mark.parametrize("flagged", [False, True], ids=["plain", "engine"])
def test_numpy_opencv_and_litert_are_enough(tmp_path, flagged):
    strategy = "engine" if flagged else "explicit"
    path = write_detector(tmp_path / "m.tflite", flagged=flagged, strategy=strategy)
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    code = ALONE.format(
        root=os.getcwd(),
        packages=sysconfig.get_path("purelib"),
        model=str(path),
        image=str(tmp_path / "a.png"),
    )
    # -I and -S: without the environment's .pth files, which may import anything.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"[{[float(side) for side in RIGHT_CELL]}]", "[]"]


def test_the_network_is_not_unpacked_for_its_passport(path, monkeypatch):
    monkeypatch.delattr(schema.ModelT, "InitFromPackedBuf")
    assert boxes(path) == [RIGHT_CELL]
