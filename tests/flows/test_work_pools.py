"""Templates of work pools, and the image of their runs: whatever they name is there."""

import asyncio
import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessJobConfiguration

from mmdet2tflite.config.loading import load_experiment

ROOT = Path(__file__).parents[2]
POOLS = ROOT / "configs" / "work_pools"
PLACEHOLDER = re.compile(r"{{\s*(\w+)\s*}}")
FIXED = {
    *("command", "env", "working_dir", "labels", "image", "image_pull_policy"),
    *("networks", "volumes", "namespace", "service_account_name", "secret"),
}
"""What decides which program runs, and what it can reach: the template's own, no run's."""


@pytest.fixture(params=["docker", "kubernetes"])
def template(request: pytest.FixtureRequest) -> dict:
    return json.loads((POOLS / f"{request.param}.json").read_text())


def test_each_variable_is_used_and_each_one_used_is_there(template):
    used = set(PLACEHOLDER.findall(json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])


def test_each_variable_has_a_default_that_fits_and_a_sentence_for_prefects_form(template):
    jsonschema.Draft202012Validator.check_schema(template["variables"])
    for variable in template["variables"]["properties"].values():
        jsonschema.validate(variable["default"], variable)
        assert variable["title"]
        assert variable["description"].endswith(".")


def test_runs_use_the_image_that_the_dockerfile_makes(template):
    (tag,) = re.findall(r"docker build -t (\S+) \.", (ROOT / "Dockerfile").read_text())
    assert f'"image": "{tag}:latest"' in json.dumps(template["job_configuration"])


def test_what_outlives_a_docker_container_lies_where_the_project_writes():
    volumes = json.loads((POOLS / "docker.json").read_text())["job_configuration"]["volumes"]
    folders = {volume.split(":")[1] for volume in volumes}
    workdir = instructions("WORKDIR")[-1]
    assert folders == {f"{workdir}/artifacts", f"{workdir}/mlruns"}


def test_deployments_start_in_the_images_folder_and_name_what_is_there():
    given = yaml.safe_load((POOLS / "prefect.yaml").read_text())
    (step,) = given["pull"]
    assert list(step.values()) == [{"directory": instructions("WORKDIR")[-1]}]
    for deployment in given["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(import_module(module), name)
        parameters = deployment["parameters"]
        assert set(parameters) <= set(flow.parameters.properties)
        load_experiment(ROOT / parameters["experiment_file"], parameters["overrides"])


def instructions(word: str) -> list[str]:
    """The arguments of each such instruction of the Dockerfile."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [line.removeprefix(word).strip() for line in text.splitlines() if line.startswith(word)]


def test_the_dockerfile_copies_what_is_there_and_what_the_installation_reads():
    copied = set()
    for line in instructions("COPY"):
        *sources, _ = [word for word in shlex.split(line) if not word.startswith("--")]
        copied |= set(sources)
        assert all((ROOT / source).exists() for source in sources)
    project = (ROOT / "pyproject.toml").read_text()
    read = re.findall(r'readme = "(.+)"|license-files = \["(.+)"\]', project)
    assert {"requirements.lock", "pyproject.toml", "scripts/install.sh"} <= copied
    assert {name for pair in read for name in pair if name} <= copied


def test_the_image_has_the_system_packages_that_continuous_integration_installs():
    def packages(text: str) -> set[str]:
        return set(re.findall(r"\blib[a-z0-9.-]+", text.split("--no-install-recommends")[1]))

    install = next(line for line in instructions("RUN") if "apt-get install" in line)
    wanted = packages((ROOT / ".ci" / "run").read_text().split("\nfi\n")[0])
    assert packages(install) == wanted


def test_nothing_runs_as_root_and_python_is_that_of_the_project():
    user = instructions("USER")
    assert user
    assert user[-1] not in ("root", "0")
    version = (ROOT / ".python-version").read_text().strip()
    assert instructions("FROM")[0].startswith(f"python:{version}-slim")


def test_whatever_a_run_asks_for_a_worker_of_this_machine_starts_the_same_command():
    """Prefect refuses such runs; one that an older pool let through changes nothing."""
    template = json.loads((POOLS / "local.json").read_text())
    wanted = {
        "command": "touch elsewhere",
        "env": {"LD_PRELOAD": "elsewhere"},
        "env.PATH": "elsewhere",
        "working_dir": "/tmp",
        "name": "elsewhere",
    }
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        made = [
            asyncio.run(
                ProcessJobConfiguration.from_template_and_values(template, values, client=object())
            )
            for values in (wanted, {})
        ]
    assert made[0] == made[1]
    assert made[0].command == "python -m mmdet2tflite.processes.child prefect.engine"
    assert (made[0].env, made[0].working_dir) == ({}, None)


@pytest.mark.parametrize("name", ["local", "docker", "kubernetes"])
def test_no_run_may_set_what_is_started_or_what_it_reaches(name):
    variables = json.loads((POOLS / f"{name}.json").read_text())["variables"]
    assert variables["additionalProperties"] is False
    assert not set(variables["properties"]) & FIXED
