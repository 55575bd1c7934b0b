"""The password's file: made once, for one reader, and refused when others had their hands on it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_HOME,
    PREFECT_SERVER_API_AUTH_STRING,
    temporary_settings,
)

from mmdet2tflite.errors import ConfigError
from tasks.servers import password
from tasks.servers.password import CLIENT, FILE, SERVER, SHELL, Password


@pytest.fixture(autouse=True)
def home(tmp_path: Path):
    """A Prefect home of the test's own, which does not exist yet."""
    with temporary_settings({PREFECT_HOME: tmp_path / "home"}):
        yield tmp_path / "home"


def test_the_first_start_makes_it_for_its_user_alone_and_later_ones_find_it(home):
    made = password.service_password()
    assert password.FORM.fullmatch(made.value)
    assert len(made.value.partition(":")[2]) >= 40
    assert made.file == home / FILE
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert password.service_password() == made
    assert {path.name for path in home.iterdir()} <= {FILE, password.LOCK}


def test_servers_that_start_at_once_agree():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: password.kept_password(), range(8)))
    assert len(set(made)) == 1


def test_what_is_shown_of_it_is_where_it_is():
    made = password.service_password()
    secret = made.value.partition(":")[2]
    assert secret not in repr(made)
    assert secret not in made.place
    assert str(made.file) in made.place


def replaced_by_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def given_away(path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives a file to another user")
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (replaced_by_link, "is a link"),
        (replaced_by_pipe, "is no file"),
        (replaced_by_folder, "is no file"),
        (given_away, "belongs to another user"),
        (lambda path: path.chmod(0o640), "can be read by others (mode 640)"),
        (lambda path: path.chmod(0o604), "can be read by others (mode 604)"),
        (lambda path: path.write_text(""), "holds no password of the form user:password"),
        (lambda path: path.write_text("word"), "holds no password of the form user:password"),
        (lambda path: path.write_text("a:b\nc"), "holds no password of the form user:password"),
        (lambda path: path.write_bytes(b"a:\xff"), "holds no password of the form user:password"),
    ],
)
def test_a_file_that_is_not_as_it_was_made_is_refused_in_one_line(
    spoil: Callable[[Path], None], reason: str
):
    made = password.service_password()
    spoil(made.file)
    with pytest.raises(ConfigError) as caught:
        password.service_password()
    assert caught.value.found == f"{made.file} {reason}"
    assert made.value not in str(caught.value)


def test_a_dangling_link_is_refused_and_nothing_is_written_where_it_points(home):
    home.mkdir()
    (home / FILE).symlink_to(home / "target")
    with pytest.raises(ConfigError, match="is a link"):
        password.service_password()
    assert not (home / "target").exists()


@pytest.mark.parametrize("setting", [PREFECT_API_AUTH_STRING, PREFECT_SERVER_API_AUTH_STRING])
def test_a_user_who_chose_one_keeps_it_and_no_file_is_made(home, setting):
    with temporary_settings({setting: "me:mine"}):
        assert password.service_password() == Password("me:mine")
        assert password.run_password().environment == {SERVER: "me:mine", CLIENT: "me:mine"}
    assert not (home / FILE).exists()


def test_two_that_differ_and_one_without_a_user_are_refused_without_showing_them():
    both = {PREFECT_API_AUTH_STRING: "me:s3cret", PREFECT_SERVER_API_AUTH_STRING: "me:s4cret"}
    with temporary_settings(both), pytest.raises(ConfigError, match="differ") as caught:
        password.service_password()
    assert "cret" not in str(caught.value)
    with temporary_settings({PREFECT_API_AUTH_STRING: "s3cret"}):
        with pytest.raises(ConfigError, match="no password of the form") as caught:
            password.run_password()
        assert "s3cret" not in str(caught.value)


def test_that_of_a_run_is_a_new_one_each_time_and_is_not_kept(home):
    assert password.run_password() != password.run_password()
    assert not (home / FILE).exists()


def test_a_shell_that_sources_the_file_knows_server_and_password(home):
    made = password.service_password()
    shell = password.write_shell_file("http://127.0.0.1:4200/api", made)
    user, _, secret = made.value.partition(":")
    assert shell == home / SHELL
    assert secret not in shell.read_text()
    assert stat.S_IMODE(shell.stat().st_mode) == 0o600
    names = ("PREFECT_API_URL", CLIENT, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    show = "import os, sys; print(*map(os.environ.get, sys.argv[1:]))"
    script = f"set -eu; . '{shell}'; {sys.executable} -c '{show}' {' '.join(names)}"
    for program in ("sh", "bash"):
        done = subprocess.run([program, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["http://127.0.0.1:4200/api", made.value, user, secret]


def test_that_file_leaves_the_password_of_a_teams_mlflow_alone():
    made = password.service_password()
    shell = password.write_shell_file("http://127.0.0.1:4200/api", made, mlflow=False)
    assert CLIENT in shell.read_text()
    assert "MLFLOW" not in shell.read_text()


def test_that_file_says_nothing_of_a_password_that_the_user_chose():
    shell = password.write_shell_file("http://127.0.0.1:4200/api", Password("me:mine"))
    assert "mine" not in shell.read_text()
    assert CLIENT not in shell.read_text()
