"""The code of every logged model: MLflow keeps this file beside the .tflite and runs it to load it.

In goes a table with a column ``image``, each row the content of an image file. Out comes a table
with a row per detection. It needs MLflow and what mmdet2tflite.runtime needs, and no pickle.
"""

import threading
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from mmdet2tflite.errors import ImageError
from mmdet2tflite.runtime import Detector, NamedDetections


class TfliteDetector(PythonModel):
    """A TFLite file that this project made; its passport says how it is run."""

    def load_context(self, context: Any) -> None:
        """Open the file."""
        self._detector = Detector(context.artifacts["model"])
        self._lock = threading.Lock()  # MLflow's server has threads, LiteRT's interpreter no lock

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Find the objects in each image.

        Args:
            context, params: of MLflow's, not used.
            model_input: column ``image``, the bytes of a JPEG, PNG … of any size.

        Returns:
            A row per detection, image by image, best first: ``image`` (number of the row in the
            input, from 0), ``name`` (of the class), ``score`` (0 to 1, not below the passport's
            threshold), ``x_min``, ``y_min``, ``x_max``, ``y_max`` (in pixels of the image, which
            the box may reach beyond), and of oriented boxes ``x_1``, ``y_1`` … ``x_4``, ``y_4``,
            the corners clockwise.

        Raises:
            MlflowException: an image cannot be decoded; it says which, and so does MLflow's server.
        """
        try:
            with self._lock:
                found = self._detector(list(model_input["image"]))
        except ImageError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        boxes = np.concatenate([np.empty((0, 4), np.float32), *(each.boxes for each in found)])
        rows = [number for number, each in enumerate(found) for _ in each.names]
        return pd.DataFrame(
            {
                "image": np.array(rows, np.int64),
                "name": np.array([name for each in found for name in each.names], object),
                "score": np.concatenate([np.empty(0, np.float32), *(e.scores for e in found)]),
                **dict(zip(("x_min", "y_min", "x_max", "y_max"), boxes.T, strict=True)),
                **(_corners(found) if self._detector.oriented else {}),
            }
        )


def _corners(found: list[NamedDetections]) -> dict[str, NDArray[np.float32]]:
    corners = np.concatenate([np.empty((0, 4, 2)), *(each.corners for each in found)])
    return {
        f"{axis}_{number + 1}": corners[:, number, place].astype(np.float32)
        for number in range(4)
        for place, axis in enumerate("xy")
    }


set_model(TfliteDetector())
