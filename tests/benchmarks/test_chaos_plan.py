"""Which kills are tried, and where."""

from collections import Counter

import pytest

from benchmarks.chaos.cases import KILLS, all_cases, choose
from benchmarks.chaos.kills import TARGETS, TRACKING, plan_kills

STAGES = set(TARGETS) - {TRACKING}


def test_at_least_sixty_kills_are_tried_and_six_in_every_stage():
    chosen = {case.name for case in choose(all_cases())}
    stages = Counter(kill.stage for kill in plan_kills() if kill.name in chosen)
    assert sum(stages.values()) >= 60
    assert all(stages[stage] >= 6 for stage in STAGES)


def test_every_stage_meets_each_of_its_processes_and_each_signal():
    plan = plan_kills()[:KILLS]
    for stage, targets in TARGETS.items():
        kills = [kill for kill in plan if kill.stage == stage]
        assert {kill.target for kill in kills} == set(targets)
        assert {kill.number.name for kill in kills} == {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"}


def test_every_kind_of_process_gets_every_signal_somewhere():
    kinds = {(kill.target, kill.number.name) for kill in plan_kills()[:KILLS]}
    assert len(kinds) == 4 * 4 - 2  # two of a loader, of which there is one in one stage


def test_no_kill_is_tried_twice():
    plan = plan_kills()[:KILLS]
    assert len(set(plan)) == len(plan)


def test_few_kills_are_still_spread_over_the_stages():
    assert [kill.stage for kill in plan_kills()[:3]] == list(TARGETS)[:3]


def test_cases_are_chosen_by_pattern_and_an_unknown_one_is_refused():
    cases = all_cases()
    assert {case.name for case in choose(cases, ["disk-store-*"])} == {
        "disk-store-1",
        "disk-store-5",
        "disk-store-20",
    }
    assert len(choose(cases, ["kill-onnx-*"], kills=2)) == 2
    with pytest.raises(ValueError, match="no case is called"):
        choose(cases, ["disk-store-*", "nonsense"])


def test_no_two_cases_have_a_name():
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
