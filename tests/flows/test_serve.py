"""What `make serve` refuses before it starts anything."""

import shutil
import socket
from pathlib import Path

import pytest
import yaml

from flows import serve
from mmdet2tflite.errors import ConfigError, ServiceError

ROOT = Path(__file__).parents[2]


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


def test_a_port_that_is_taken_or_does_not_exist_is_refused_with_the_option_that_changes_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} for Prefect cannot be used") as caught:
            serve._listen(port, "Prefect", "--prefect-port")
    assert "--prefect-port" in caught.value.remedy
    with pytest.raises(ServiceError, match="port 99999 for MLflow cannot be used"):
        serve._listen(99999, "MLflow", "--mlflow-port")
