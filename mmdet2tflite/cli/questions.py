"""``init --edit``: the five settings that matter, asked in the terminal."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from rich.markup import escape

from mmdet2tflite.config.experiment import DetectorConfig
from mmdet2tflite.data.discovery.proposals import Setting
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.report.terminal import console


def check_terminal() -> None:
    """Raises ConfigError where nobody could answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "--edit asks questions, and this is no terminal",
            "a terminal",
            "leave --edit out, and change the file that is written",
        )


def ask(propose: Callable[[Mapping[str, Any]], Mapping[str, Setting]]) -> dict[str, Any]:
    """Ask for each of five settings; an empty line keeps what is proposed.

    Args:
        propose: from the answers so far.

    Returns:
        The answers, by the names of ``draft.propose``.

    Raises:
        ConfigError: the input ends.
    """
    known = propose({})["classes"].value
    questions: dict[str, tuple[str, Callable[[str], Any]]] = {
        "classes": ("classes to learn", lambda text: _classes(text, known)),
        "val": ("share of the pictures for validation", _share),
        "detector": ("detector (an mmdet config)", _detector),
        "input_size": ("input size, width x height", _size),
        "epochs": ("epochs", _epochs),
    }
    answers: dict[str, Any] = {}
    for name, (question, parse) in questions.items():
        proposed = propose(answers)
        if name in proposed:  # a data set with a validation split has no share of it
            value = _answer(question, _shown(proposed[name].value), parse)
            if value is not None:
                answers[name] = value
    return answers


def _answer(question: str, proposed: str, parse: Callable[[str], Any]) -> Any:
    while True:
        try:
            text = console.input(f"{escape(question)} \\[{escape(proposed)}]: ").strip()
        except EOFError:
            raise ConfigError(
                "the input ended before the last question", "an answer, or an empty line for each"
            ) from None
        if not text or text == proposed:
            return None
        try:
            return parse(text)
        except ValueError as error:
            console.print(f"[yellow]{escape(str(error))}[/yellow]")


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ("x" if all(isinstance(each, int) for each in value) else ", ").join(map(str, value))
    return str(value)


def _classes(text: str, known: Any) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(f"some of {', '.join(known)}, with commas between them, each once")
    return names


def _share(text: str) -> float:
    share = _number(text, float)
    if not 0 < share < 1:
        raise ValueError("a number between 0 and 1")
    return float(share)


def _size(text: str) -> list[int]:
    width, x, height = text.lower().partition("x")
    if not x:
        raise ValueError("width x height, 320x256 for one")
    size = _number(width, int), _number(height, int)
    try:
        return list(DetectorConfig(input_size=size).input_size)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _detector(text: str) -> str:
    from mmdet2tflite.config.project import project_root

    if not text.startswith("mmdet::") and not (project_root() / text).is_file():
        near = sorted(path.name for path in (project_root() / "configs/detectors").glob("*.py"))
        raise ValueError(f"there is no {text}; configs/detectors has {', '.join(near)}")
    return text


def _epochs(text: str) -> int:
    number = int(_number(text, int))
    if number < 1:
        raise ValueError("a whole number above 0")
    return number


def _number(text: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no number") from None
