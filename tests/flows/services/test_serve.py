"""What `make serve` refuses before it starts anything."""

import shutil
from pathlib import Path

import pytest
import yaml

from flows.services import serve
from mmdet2tflite.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The deployments and experiments of this project."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copyfile(ROOT / "prefect.yaml", tmp_path / "prefect.yaml")
    return tmp_path


def change(project: Path, name: str, **parameters: object) -> None:
    given = yaml.safe_load((project / "prefect.yaml").read_text())
    (deployment,) = (each for each in given["deployments"] if each["name"] == name)
    deployment["parameters"] |= parameters
    (project / "prefect.yaml").write_text(yaml.safe_dump(given))


def test_the_deployments_of_this_project_are_in_order(project):
    serve.check_deployments(project)


def test_a_schedule_for_an_experiment_that_is_not_there_is_refused_by_name(project):
    change(project, "weekly", experiment_file="configs/experiments/nobody.yaml")
    with pytest.raises(ConfigError) as caught:
        serve.check_deployments(project)
    assert "prefect.yaml, deployment weekly: there is no experiment file" in caught.value.found
    assert "nobody.yaml" in caught.value.found


def test_a_setting_that_does_not_exist_is_refused_by_name(project):
    change(project, "store", overrides=["training.epoch=3"])
    with pytest.raises(ConfigError, match=r"deployment store: .*\n?.*the nearest known key is"):
        serve.check_deployments(project)
