"""The model in MLflow gives the boxes of ``runtime.Detector``, wherever it is loaded."""

import subprocess
import sys
import sysconfig
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.runtime import Detector, NamedDetections
from mmdet2tflite.runtime.decode.corners import upright
from tasks.tracking import pyfunc
from tasks.tracking.pyfunc_model import TfliteDetector
from tests.corner_network import BRIGHT, HEAD, RIGHT_CELL
from tests.tasks.conftest import PHOTO, STRATEGIES, Tracked

COLUMNS = ["image", "name", "score", "x_min", "y_min", "x_max", "y_max"]
VARIANTS = [f"{strategy} · onnx2tf · float32" for strategy in STRATEGIES]


def table(*images: np.ndarray) -> pd.DataFrame:
    files = [cv2.imencode(".png", image)[1].tobytes() for image in images]
    return pd.DataFrame({"image": files}, dtype=object)


def load(tracked: Tracked, variant: str) -> mlflow.pyfunc.PyFuncModel:
    return mlflow.pyfunc.load_model(f"runs:/{tracked.runs[variant].info.run_id}/detector")


def folder(tracked: Tracked, variant: str) -> Path:
    """Where MLflow keeps the model."""
    logged = tracked.runs[variant].outputs.model_outputs[0].model_id
    return Path(urlsplit(mlflow.get_logged_model(logged).artifact_location).path)


@pytest.fixture(scope="module")
def model(tracked: Tracked) -> mlflow.pyfunc.PyFuncModel:
    return load(tracked, VARIANTS[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_boxes_are_those_of_the_detector_image_by_image(tracked, dark, variant):
    two = np.tile(PHOTO[:, 320:], (1, 2, 1))  # an object in either cell
    images = [PHOTO, dark, two, PHOTO[::2, ::2].copy()]
    found = load(tracked, variant).predict(table(*images))
    expected = Detector(tracked.files[variant])(images)
    assert [len(each) for each in expected] == [1, 0, 2, 1]
    assert list(found.columns) == COLUMNS
    for number, each in enumerate(expected):
        rows = found[found["image"] == number]
        assert rows[COLUMNS[3:]].to_numpy(np.float32).tolist() == each.boxes.tolist()
        assert rows["score"].tolist() == each.scores.tolist()
        assert rows["name"].tolist() == each.names
    assert len(found) == 4


@pytest.mark.parametrize("images", [0, 2])
def test_oriented_boxes_have_their_corners(model, images):
    class Rotated:
        oriented = True

        def __call__(self, given):
            boxes = np.array([[32, 16, 20, 10, 0]], np.float32)  # x 22 to 42, y 11 to 21
            found = NamedDetections(
                upright(boxes), np.ones(1, np.float32), np.zeros(1, int), ("cat",), oriented=boxes
            )
            return [found] * len(given)

    detector = TfliteDetector()
    detector._detector, detector._lock = Rotated(), threading.Lock()
    found = detector.predict(None, pd.DataFrame({"image": [b""] * images}))
    corners = ["x_1", "y_1", "x_2", "y_2", "x_3", "y_3", "x_4", "y_4"]
    assert list(found.columns) == COLUMNS + corners
    assert found[corners].to_numpy().tolist() == [[22, 11, 42, 11, 42, 21, 22, 21]] * images


def test_the_signature_of_oriented_boxes_has_their_corners(tracked):
    model = TfliteModel.model_construct(head=replace(HEAD, family="rotated_rtmdet"))
    assert [column.name for column in pyfunc._signature(model).outputs] == [
        *COLUMNS,
        *("x_1", "y_1", "x_2", "y_2", "x_3", "y_3", "x_4", "y_4"),
    ]


@pytest.mark.parametrize("images", [0, 1])
def test_nothing_found_is_a_table_without_rows(model, dark, images):
    found = model.predict(table(*[dark] * images))
    assert list(found.columns) == COLUMNS
    assert len(found) == 0


def test_an_image_that_cannot_be_decoded_is_refused_by_its_place(model, dark):
    images = pd.concat([table(dark), pd.DataFrame({"image": [b"no image"]})])
    with pytest.raises(MlflowException, match="image 2 of 2: cannot be decoded"):
        model.predict(images)


def test_the_signature_says_what_goes_in_and_what_comes_out(model):
    signature = model.metadata.signature
    assert [(c.name, c.type.name) for c in signature.inputs] == [("image", "binary")]
    outputs = {c.name: c.type.name for c in signature.outputs}
    assert list(outputs) == COLUMNS
    assert list(outputs.values()) == ["long", "string", *["float"] * 5]
    found = model.predict(table(PHOTO))
    kinds = {"long": np.int64, "string": object, "float": np.float32}
    assert found.dtypes.to_dict() == {name: kinds[kind] for name, kind in outputs.items()}


def test_the_input_example_is_the_first_validation_image_at_the_networks_size(model):
    example = model.input_example
    image = cv2.imdecode(np.frombuffer(example["image"][0], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (32, 64, 3)
    assert np.abs(image[:, 40:].astype(int) - BRIGHT).max() < 4  # JPEG
    found = model.predict(example)
    assert found["image"].tolist() == [0]
    # 3 of 255 levels, which JPEG may be off by, are as many pixels here.
    assert found[COLUMNS[3:]].to_numpy()[0] == pytest.approx(RIGHT_CELL, abs=3)


def test_two_requests_at_once_take_turns(tracked, dark):
    model = load(tracked, VARIANTS[0])
    inside = []

    def detect(images):
        inside.append(1)
        assert len(inside) == 1
        time.sleep(0.05)  # room for the other one
        inside.pop()
        return []

    model.unwrap_python_model()._detector = detect
    failures = []

    def request():
        try:
            model.predict(table(dark))
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --- what it needs ------------------------------------------------------------------------------


def test_it_asks_for_litert_numpy_and_an_opencv_that_servers_can_load(tracked):
    lines = (folder(tracked, VARIANTS[0]) / "requirements.txt").read_text().splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert sorted(names) == ["ai-edge-litert", "mlflow", "numpy", "opencv-python-headless"]
    assert all(line.partition("==")[2] for line in lines)


ALONE = """
import sys
sys.path.append({packages!r})
ABSENT = {{"mmdet", "mmdet2tflite", "onnx", "onnxruntime", "tasks", "tensorflow", "torch"}}

class Blocker:
    def find_spec(name, path=None, target=None):
        # Of mmdet2tflite there is only what the model brings, which MLflow puts in front.
        if name in ABSENT and not (name == "mmdet2tflite" and sys.path[0].endswith("/code")):
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)

sys.meta_path.insert(0, Blocker)
import mlflow
for folder in {folders!r}:
    model = mlflow.pyfunc.load_model(folder)
    print(model.predict(model.input_example)["name"].tolist())
    import mmdet2tflite
    print(mmdet2tflite.__file__)
"""


def test_it_loads_where_neither_this_repository_nor_its_tools_are(tracked, tmp_path):
    folders = [str(folder(tracked, variant)) for variant in VARIANTS]
    code = ALONE.format(packages=sysconfig.get_path("purelib"), folders=folders)
    # -I and -S: without the environment's .pth files, one of which leads to this repository.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    names, home, *more = done.stdout.splitlines()
    assert names == "['dog']"
    assert home == f"{folders[0]}/code/mmdet2tflite/__init__.py"
    assert more == [names, home]
