"""Logs a TFLite file as a model that MLflow itself loads and serves (``mlflow.pyfunc``).

It holds the file, ``pyfunc_model.py`` and mmdet2tflite.runtime: it loads where this
repository, PyTorch and TensorFlow are not installed.
"""

import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import cv2
import mlflow
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

import mmdet2tflite
from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.decode import FAMILIES
from mmdet2tflite.runtime.images import read_image

NAME = "detector"
"""Of the model within its run: ``runs:/<run id>/detector``."""
CODE = Path(__file__).with_name("pyfunc_model.py")
RUNTIME = (
    *("runtime", "tflite", "files", "passport.py"),
    *("errors.py", "geometry.py", "safe_text.py", "__init__.py"),
)
"""What mmdet2tflite.runtime is made of (a contract of `make lint`)."""
BOX = ("score", "x_min", "y_min", "x_max", "y_max")
CORNERS = tuple(f"{axis}_{number}" for number in range(1, 5) for axis in "xy")
"""Of oriented boxes."""


def log_detector(path: Path, model: TfliteModel, picture: Path, params: Mapping[str, str]) -> str:
    """Log a TFLite file to the active run as the model ``detector``.

    Not by ``mlflow.pyfunc.log_model``: that loads each model and runs it, a second for every file,
    and the evaluation has done so already.

    Args:
        path: the file, with its passport.
        model: what is known of it; its outputs can be decoded.
        picture: an image for the input example, which is scaled down to the network's input.
        params: of the variant, for MLflow's list of models.

    Returns:
        The model's id, under which its metrics can be logged.

    Raises:
        DataError: the image cannot be read.
    """
    run = mlflow.active_run()
    assert run is not None
    client = mlflow.MlflowClient()
    logged = mlflow.initialize_logged_model(
        NAME, source_run_id=run.info.run_id, params=dict(params), model_type="object detection"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mlflow.pyfunc.save_model(
            folder / NAME,
            python_model=CODE,
            artifacts={"model": str(path)},
            code_paths=[str(_runtime(folder))],
            signature=_signature(model),
            input_example=pd.DataFrame({"image": [_example(picture, model.preprocessing)]}),
            # Named, because MLflow would load the model in a child to find out. Without a display,
            # as servers are, OpenCV's other distribution does not load.
            pip_requirements=[
                f"ai-edge-litert=={version('ai-edge-litert')}",
                f"numpy=={version('numpy')}",
                f"opencv-python-headless=={version('opencv-python')}",
            ],
            mlflow_model=Model(run_id=run.info.run_id, model_id=logged.model_id),
        )
        client.log_model_artifacts(logged.model_id, str(folder / NAME))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def _signature(model: TfliteModel) -> ModelSignature:
    assert model.head.family is not None
    numbers = BOX + (CORNERS if FAMILIES[model.head.family].oriented else ())
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, "image")]),
        outputs=Schema(
            [
                ColSpec(DataType.long, "image"),
                ColSpec(DataType.string, "name"),
                *(ColSpec(DataType.float, name) for name in numbers),
            ]
        ),
    )


def _runtime(folder: Path) -> Path:
    """A package that is the runtime and nothing else."""
    source = Path(mmdet2tflite.__file__).parent
    target = folder / source.name
    target.mkdir()
    for name in RUNTIME:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copyfile(source / name, target / name)
    return target


def _example(picture: Path, size: Preprocessing) -> bytes:
    """A small JPEG: every variant's model keeps one."""
    image = read_image(picture)
    scale = min(1.0, size.width / image.shape[1], size.height / image.shape[0])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small)[1].tobytes()
