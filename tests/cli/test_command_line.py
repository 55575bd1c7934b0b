"""A function as a command line: its words, and how it ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdet2tflite.cli.command_line import AsJson, ExperimentFile, Overrides, run_command
from mmdet2tflite.errors import DataError


def show(experiment: ExperimentFile, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show what was given.

    Raises nothing.
    """
    print(experiment, overrides, as_json)


def interrupted() -> None:
    raise KeyboardInterrupt


def refused() -> None:
    raise DataError("box 7 has no area")


def broken() -> None:
    raise ZeroDivisionError


@pytest.fixture
def ended(monkeypatch, capsys):
    """The status after some words, and what was printed and said."""

    def end(functions: tuple[Callable[..., None], ...], *words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["command", *words])
        with pytest.raises(SystemExit) as caught:
            run_command(*functions)
        return caught.value.code, *capsys.readouterr()

    return end


def test_words_are_the_functions_arguments(ended):
    words = ("a.yaml", "--set", "b=1", "--json", "--set", "c=2")
    assert ended((show,), *words) == (0, "a.yaml ['b=1', 'c=2'] True\n", "")
    assert ended((show,), "a.yaml")[0] == 0


def test_of_several_functions_the_first_word_names_one(ended):
    assert ended((show, refused), "show", "a.yaml")[:2] == (0, "a.yaml None False\n")
    assert ended((show, refused), "refused")[0] == 2


def test_help_is_the_first_paragraph(ended):
    status, printed, _ = ended((show,), "--help")
    assert status == 0
    assert "Show what was given." in printed
    assert "Raises" not in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument 'experiment'"),
        (("a.yaml", "--sett", "b=1"), "No such option: --sett"),
        (("a.yaml", "more"), "unexpected extra argument"),
    ],
)
def test_wrong_words_are_a_line_and_status_2(ended, words, said):
    status, _, error = ended((show,), *words)
    assert status == 2
    assert said in error


@pytest.mark.parametrize(
    ("function", "status", "said"),
    [(refused, 2, "box 7 has no area"), (interrupted, 130, "finished stages are kept")],
)
def test_a_function_ends_as_everywhere(ended, function, status, said):
    found, _, error = ended((function,))
    assert found == status
    assert said in error


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(ZeroDivisionError):
        run_command(broken)


def test_help_and_mistakes_are_shown_without_rich():
    """It would double the time that a command needs to start."""
    program = (
        "import sys\n"
        "from tests.cli.test_command_line import run_command, show\n"
        "sys.modules['rich'] = None\n"
        "run_command(show)"
    )
    for word, status in (("--help", 0), ("--wrong", 2)):
        done = subprocess.run(
            [sys.executable, "-c", program, word],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
