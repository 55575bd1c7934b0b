"""What a child process that evaluates is given: a model, data and a folder for the report."""

import pytest

from mmdet2tflite.evaluate.request import EvaluateRequest
from tests.evaluate.constant_network import QUICK, write_data


@pytest.fixture
def make_spec(tmp_path):
    """A spec with a folder for each of model, data and report; ``make`` writes the model."""
    data = tmp_path / "data"
    data.mkdir()
    write_data(data)

    def spec(name, make, write, reference=None, config=QUICK, **network):
        folder = tmp_path / name
        (folder / "report").mkdir(parents=True)
        return EvaluateRequest(
            model=make(write, folder, **network),
            model_folder=folder,
            annotations=data / "val.json",
            images=data,
            reference=reference,
            config=config,
            work=folder / "report",
        )

    return spec
