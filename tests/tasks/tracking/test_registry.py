"""Champion, challenger and previous: who is what after a promotion, a rollback, a race."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import mlflow
import pytest

from mmdet2tflite.errors import RegistryError
from tasks.tracking import registry_command
from tasks.tracking.registry import Registry
from tasks.tracking.version import Version
from tests.tasks.conftest import FAILED, ONNX, Tracked

FIRST = "explicit · onnx2tf · float32"


@pytest.fixture
def registry(tracked: Tracked, tmp_path: Path) -> Registry:
    """A model of the test's own."""
    return Registry(tmp_path.name, tracking(tracked))


def tracking(tracked: Tracked) -> Path:
    return tracked.folder / "mlruns"


def add(registry: Registry, tracked: Tracked, times: int = 1) -> list[Version]:
    run = tracked.runs[FIRST]
    return [registry.add(run, {"dataset": str(n)}, f"text {n}") for n in range(times)]


def aliases(registry: Registry) -> dict[str, str]:
    return {alias: version.number for version in registry.kept() for alias in version.aliases}


def test_a_new_version_is_the_challenger_and_holds_what_was_said_of_it(registry, tracked):
    (version,) = add(registry, tracked)
    assert version.aliases == ("challenger",)
    assert (version.tags["dataset"], version.description) == ("0", "text 0")
    assert version.run_id == tracked.runs[FIRST].info.run_id
    assert registry.get("1") == registry.get("challenger") == registry.find("challenger")
    assert registry.find("champion") is None


def test_a_promotion_keeps_the_one_before_and_a_rollback_brings_it_back(registry, tracked):
    one, two, three = add(registry, tracked, 3)
    registry.promote(one, replacing=None)
    assert aliases(registry) == {"champion": "1", "challenger": "3"}
    registry.promote(three, replacing=one)
    assert aliases(registry) == {"champion": "3", "previous": "1"}
    registry.promote(two, replacing=three)
    assert aliases(registry) == {"champion": "2", "previous": "3"}
    champion, challenger = registry.rollback()
    assert (champion.number, challenger.number) == ("3", "2")
    assert aliases(registry) == {"champion": "3", "challenger": "2"}
    with pytest.raises(RegistryError, match=r"has no 'previous'; there are challenger \(version 2"):
        registry.rollback()
    assert aliases(registry) == {"champion": "3", "challenger": "2"}
    assert "champion since 20" in registry.get("2").description
    assert "rolled back to version 3 on 20" in registry.get("2").description
    assert registry.get("2").description.startswith("text 1\n")


def test_who_compared_with_a_champion_that_was_replaced_meanwhile_changes_nothing(
    registry, tracked
):
    one, two, three = add(registry, tracked, 3)
    registry.promote(one, replacing=None)
    registry.promote(two, replacing=one)
    before = aliases(registry)
    with pytest.raises(RegistryError, match="with version 1, and the champion is version 2 by now"):
        registry.promote(three, replacing=one)
    with pytest.raises(RegistryError, match="compared with none, and the champion is version 2"):
        registry.promote(three, replacing=None)
    with pytest.raises(RegistryError, match="version 2 is the champion already"):
        registry.promote(two, replacing=two)
    assert aliases(registry) == before


def test_of_many_promotions_at_once_one_wins_and_the_others_change_nothing(registry, tracked):
    champion, *rivals = add(registry, tracked, 5)
    registry.promote(champion, replacing=None)
    start, refused = threading.Barrier(len(rivals)), []

    def rival(version):
        start.wait()
        try:
            registry.promote(version, replacing=champion)
        except RegistryError:
            refused.append(version.number)

    threads = [threading.Thread(target=rival, args=(version,)) for version in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == len(rivals) - 1
    (winner,) = {version.number for version in rivals} - set(refused)
    assert aliases(registry)["champion"] == winner
    assert aliases(registry)["previous"] == "1"


def test_a_row_of_the_comparison_finds_the_run_that_measured_it(tracked):
    registry = Registry("tiny", tracking(tracked))
    run = tracked.runs[FIRST]
    parts = {
        name.removeprefix("artefact."): {"folder": value}
        for name, value in run.data.tags.items()
        if name.startswith("artefact.")
    }
    assert set(parts) == {"tflite", "report"}
    row = {"variant": FIRST, "artefacts": parts}
    assert registry.run_of(row).info.run_id == run.info.run_id
    with pytest.raises(RegistryError, match="MLflow has no run of explicit"):
        registry.run_of({**row, "artefacts": {**parts, "report": {"folder": "report/other"}}})


def test_a_run_that_logged_no_model_cannot_be_registered(tracked):
    registry = Registry("tiny", tracking(tracked))
    for name in (ONNX, FAILED):
        tags = tracked.runs[name].data.tags
        parts = {"strategy": {"folder": "no"}} if name == FAILED else {}
        for tag, value in tags.items():
            if tag.startswith("artefact."):
                parts[tag.removeprefix("artefact.")] = {"folder": value}
        with pytest.raises(RegistryError, match="MLflow has no run"):
            registry.run_of({"variant": name, "artefacts": parts})


def test_a_decision_is_a_tag_of_the_version_and_of_the_whole_run(registry, tracked):
    (version,) = add(registry, tracked)
    registry.decided(version, "refused: too slow")
    assert registry.get("1").tags["promotion"] == "refused: too slow"
    parent = mlflow.get_run(tracked.runs["tiny"].info.run_id)
    assert parent.data.tags["promotion"] == "refused: too slow"


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tracked, monkeypatch, capsys):
    """Runs it in this process: status, standard output, standard error."""

    def run(*words: str, folder: Path | None = None) -> tuple[int, str, str]:
        monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # as the command does
        place = str(folder or tracking(tracked))
        monkeypatch.setattr(sys, "argv", ["registry_command", *words, "--tracking", place])
        with pytest.raises(SystemExit) as ended:
            registry_command.main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_commands_promote_show_roll_back_and_fetch(registry, tracked, tmp_path, command):
    add(registry, tracked, 2)
    name = registry.model
    assert command("promote", f"{name}@1") == (0, f"{name} version 1 is the champion\n", "")
    assert command("promote", name)[0] == 0  # the challenger
    shown = json.loads(command("champion", name, "--json")[1])
    assert (shown["number"], shown["aliases"]) == ("2", ["champion"])
    assert shown["metrics"] == tracked.runs[FIRST].data.metrics
    assert shown["tags"]["promotion"] == "promoted by hand"
    _, said, _ = command("rollback", name)
    assert "version 1 is the champion again, version 2 the challenger" in said
    file = tmp_path / "deep" / "model.tflite"
    assert command("pull", f"{name}@champion", "--out", str(file))[0] == 0
    assert file.read_bytes() == tracked.files[FIRST].read_bytes()
    assert [path.name for path in file.parent.iterdir()] == ["model.tflite"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("champion", "NAME"), "has no 'champion'; there are challenger (version 1)"),
        (("pull", "NAME@nobody", "--out", "FILE"), "has no 'nobody'"),
        (("pull", "NAME@99", "--out", "FILE"), "has no '99'"),
        (("pull", "NAME@1", "--out", "/proc/m.tflite"), "/proc/m.tflite cannot be written"),
        (("rollback", "unheard-of"), "no model 'unheard-of' is registered; there are "),
    ],
)
def test_mistakes_are_messages_with_status_2(registry, tracked, tmp_path, command, words, message):
    add(registry, tracked)
    file = tmp_path / "m.tflite"
    given = [word.replace("NAME", registry.model).replace("FILE", str(file)) for word in words]
    status, _, said = command(*given)
    assert status == 2
    assert message in said
    assert not file.exists()
    assert aliases(registry) == {"challenger": "1"}


def files_of(tracked: Tracked, name: str) -> list[Path]:
    """Of the run of the first file: MLflow's own copies."""
    run = tracked.runs[FIRST]
    models = [output.model_id for output in run.outputs.model_outputs]
    ids = [run.info.run_id, *models]
    return [p for p in tracking(tracked).rglob(name) if any(part in ids for part in p.parts)]


@pytest.mark.parametrize(
    ("name", "harm", "message"),
    [
        ("model.tflite", lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "damaged"),
        ("model.tflite", Path.unlink, "does not give the file of"),
        ("manifest.json", lambda path: path.write_text("null"), "no manifest that could be read"),
    ],
)
def test_a_damaged_file_is_neither_promoted_nor_handed_out(
    registry, tracked, tmp_path, command, name, harm, message
):
    add(registry, tracked)
    kept = {path: path.read_bytes() for path in files_of(tracked, name)}
    assert kept
    file = tmp_path / "m.tflite"
    try:
        for path in kept:
            harm(path)
        for words in (("promote", f"{registry.model}@1"), ("pull", f"{registry.model}@1")):
            status, _, said = command(*words, *(("--out", str(file)) if "pull" in words else ()))
            assert (status, message in said) == (2, True)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert not file.exists()
    assert aliases(registry) == {"challenger": "1"}


def test_a_folder_where_nothing_was_tracked_is_a_message_and_stays_empty(tmp_path, command):
    status, _, said = command("champion", "digits", folder=tmp_path)
    assert status == 2
    assert f"nothing was tracked in {tmp_path} yet" in said
    assert not list(tmp_path.iterdir())


def test_a_server_that_does_not_answer_is_a_message_with_status_2():
    address = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", "champion", "digits"],
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_TRACKING_URI": address},
    )
    assert done.returncode == 2
    assert f"no MLflow server answers at {address}: " in done.stderr
    assert "Traceback" not in done.stderr
