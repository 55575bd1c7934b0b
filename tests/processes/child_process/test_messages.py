"""What a child tells its parent beside its log: progress, mistakes, a result."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.errors import DataError, ToolFailed
from mmdet2tflite.processes.messages import PIPE

LONG = 100_000
"""Characters: more than a pipe holds, and than it takes in one piece."""


def test_progress_arrives_and_stays_out_of_the_log(run: Callable[..., Any], log: Path) -> None:
    messages: list[dict[str, Any]] = []
    run(
        "from mmdet2tflite.processes.messages import progress\n"
        "progress(completed=1, total=2); print('work'); progress(completed=2, total=2, loss=0.5)",
        on_progress=messages.append,
    )
    assert messages == [
        {"completed": 1, "total": 2},
        {"completed": 2, "total": 2, "loss": 0.5},
    ]
    assert log.read_text() == "work\n"


def test_a_result_arrives_whole(run: Callable[..., Any]) -> None:
    sent = {"text": "ü\n", "numbers": [0.1, 1e-300, float("inf")], "long": "x" * LONG}
    source = "import json\nfrom mmdet2tflite.processes.messages import send\n"
    assert run(f"{source}send('result', json.loads({json.dumps(sent)!r}))") == sent
    assert run("print('nothing')") is None


@pytest.mark.parametrize(
    "line", ['{"progress": {"completed": 1}}', '{"result": 1}', "PROGRESS 10", "USER_ERROR {}"]
)
def test_what_the_tool_prints_is_no_message(run: Callable[..., Any], log: Path, line: str) -> None:
    messages: list[dict[str, Any]] = []
    assert run(f"print({line!r})", on_progress=messages.append) is None
    assert log.read_text() == f"{line}\n"
    assert messages == []


def test_children_of_the_child_are_heard_though_they_inherit_nothing_and_each_line_is_whole(
    run: Callable[..., Any],
) -> None:
    messages: list[dict[str, Any]] = []
    own = "from mmdet2tflite.processes.messages import progress\n"
    own += f"for _ in range(20): progress(text='NAME' * {LONG // 20})"
    run(
        "import subprocess, sys\n"
        f"ranks = [subprocess.Popen([sys.executable, '-c', {own!r}.replace('NAME', name)])\n"
        "         for name in 'ab']\n"
        "assert not any([rank.wait() for rank in ranks])",
        on_progress=messages.append,
    )
    texts = [message["text"] for message in messages]
    assert sorted(set(texts)) == ["a" * (LONG // 20), "b" * (LONG // 20)]
    assert len(texts) == 40


def test_silence_is_broken_by_a_message(run: Callable[..., Any]) -> None:
    source = "import time\nfrom mmdet2tflite.processes.messages import progress\n"
    run(f"{source}for _ in range(6): progress(); time.sleep(0.25)", silence=1.0)


def test_a_message_that_a_kill_cut_short_is_none(run: Callable[..., Any]) -> None:
    half = f"import os; open(os.environ[{PIPE!r}], 'wb').write(b'{{\"result\"')"
    with pytest.raises(ToolFailed, match="ended with status 3"):
        run(f"{half}\nraise SystemExit(3)")


def test_a_callback_that_fails_ends_the_tool(run: Callable[..., Any]) -> None:
    def fail(message: dict[str, Any]) -> None:
        raise ZeroDivisionError

    source = "import time\nfrom mmdet2tflite.processes.messages import progress\n"
    with pytest.raises(ZeroDivisionError):
        run(f"{source}progress(); time.sleep(60)", on_progress=fail)


def test_a_mistake_of_the_user_arrives_as_the_same_error(run: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        run(
            "from mmdet2tflite.errors import DataError\n"
            "raise DataError('box 7', 'a positive area', 'fix: [zero_area]')"
        )
    error = caught.value
    found = (error.found, error.expected, error.remedy)
    assert found == ("box 7", "a positive area", "fix: [zero_area]")


def test_by_hand_the_tool_prints_its_messages(run: Callable[..., Any], log: Path) -> None:
    source = "from mmdet2tflite.processes.messages import progress, send\n"
    run(f"{source}progress(completed=1); send('result', 2)", on_progress=lambda message: None)
    again = subprocess.run(
        [log.with_suffix(".reproduce.sh")], capture_output=True, text=True, check=True
    )
    assert again.stdout == '{"progress": {"completed": 1}}\n{"result": 2}\n'
