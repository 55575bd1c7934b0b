"""How the end of a run is judged."""

import signal

import pytest

from benchmarks.chaos.processes import Ended, has_traceback
from benchmarks.chaos.verdict import Happened, judge

BOUND = 15.0
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py"\nOSError: no'
WELL = Ended(0, 30.0, None, "done")


def ended(status: int | None, output: str = "a line", after: float = 1.0, **fields) -> Ended:
    return Ended(status, 20.0, after, output, **fields)


def kinds(disturbed: Ended, again: Ended = WELL, lost=(), **fields) -> list[str]:
    happened = Happened([disturbed], "", **fields)
    return [finding.kind for finding in judge(happened, again, list(lost), BOUND)]


@pytest.mark.parametrize(
    "disturbed",
    [ended(0), ended(2), ended(130), ended(0, after=100.0)],
    ids=["succeeds", "says what is wrong", "was interrupted", "goes on"],
)
def test_a_run_survives_that_ends_in_time_and_with_a_word(disturbed):
    assert kinds(disturbed) == []


def test_a_run_survives_that_dies_of_the_very_signal_that_it_was_sent():
    assert kinds(ended(-signal.SIGHUP, ""), sent=signal.SIGHUP) == []
    assert kinds(ended(-signal.SIGSEGV, ""), sent=signal.SIGHUP) == ["traceback"]
    assert kinds(ended(-signal.SIGHUP, "")) == ["traceback"]


def test_failing_without_a_word_is_as_bad_as_a_traceback():
    assert kinds(ended(1, "\n  \n")) == ["traceback"]
    assert kinds(ended(1, TRACEBACK)) == ["traceback"]


def test_a_traceback_counts_even_if_all_goes_well():
    assert kinds(ended(0, f"{TRACEBACK}\ndone")) == ["traceback"]
    assert kinds(WELL, Ended(0, 1.0, None, TRACEBACK)) == ["traceback"]


def test_a_tools_traceback_that_a_message_quotes_is_none_of_ours():
    assert not has_traceback("Tool failed: …\n    | Traceback (most recent call last):\n    | x")
    assert has_traceback(f"12:00 | ERROR {TRACEBACK}")


def test_a_run_that_fails_late_is_stuck_unless_it_had_others_to_go_on_with():
    assert kinds(ended(2, after=16.0)) == ["stuck"]
    assert kinds(ended(2, after=16.0), prompt=False) == []


def test_a_run_over_its_limit_is_stuck():
    assert kinds(ended(None)) == ["stuck"]


def test_what_still_lives_is_an_orphan():
    assert kinds(ended(2, orphans=("python worker",))) == ["orphans"]


def test_a_second_run_that_fails_or_makes_something_else_has_lost_something():
    assert kinds(WELL, ended(2)) == ["lost"]
    assert kinds(WELL, lost=["model 1 differs"]) == ["lost"]


def test_runs_that_were_not_disturbed_must_succeed():
    assert kinds(ended(2), must_succeed=True) == ["lost"]
