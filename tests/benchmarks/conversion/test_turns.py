"""In which order models are timed, and what of it counts."""

from itertools import chain

import pytest

from benchmarks.conversion import turns
from benchmarks.conversion.turns import take_turns, wait_for_rest


class Machine:
    """A clock that only runs while a model does."""

    def __init__(self) -> None:
        self.now = 0
        self.seen = ""

    def model(self, name, milliseconds):
        def run():
            self.seen += name
            self.now += int(next(milliseconds) * 1e6)

        return run

    def rest(self):
        self.seen += " "
        self.now += 10**12


def always(value):
    while True:
        yield value


def test_models_take_turns_after_a_rest_each_and_one_round_does_not_count():
    machine = Machine()
    candidates = {name: machine.model(name, always(1)) for name in "ab"}
    done = []
    found = take_turns(
        candidates,
        rounds=2,
        warmup=1,
        runs=2,
        clock=lambda: machine.now,
        rest=machine.rest,
        on_round=done.append,
    )
    assert machine.seen.split() == ["aaa", "bbb"] * 3
    assert {name: len(values) for name, values in found.items()} == {"a": 2, "b": 2}
    assert done == [0, 1, 2]


def test_a_turn_is_the_median_of_its_timed_runs_in_milliseconds():
    machine = Machine()
    # Two untimed runs, then three: of the round that does not count, and of two that do.
    turns_taken = [90, 90, 50, 51, 52], [90, 90, 3, 1, 8], [90, 90, 7, 9, 2]
    found = take_turns(
        {"a": machine.model("a", chain(*turns_taken))},
        rounds=2,
        warmup=2,
        runs=3,
        clock=lambda: machine.now,
        rest=machine.rest,
    )
    assert found == {"a": [3.0, 7.0]}


def test_a_process_rests_when_its_threads_use_less_than_a_tenth_of_a_core():
    used = iter([0.0, 0.010, 0.012, 0.0125, 99.0])  # of 0.01 s each: 100 %, 20 %, 5 %
    slept = []
    wait_for_rest(cpu=lambda: next(used), sleep=slept.append)
    assert slept == [0.01] * 3


def test_a_process_that_never_rests_is_taken_as_it_is():
    cpu = iter(range(10_000))
    slept = []
    wait_for_rest(cpu=lambda: next(cpu), sleep=slept.append)
    assert len(slept) == turns.LOOKS
    assert sum(slept) == pytest.approx(3.0)  # twice as long as the longest spinning known
