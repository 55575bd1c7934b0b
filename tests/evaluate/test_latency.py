from mmdet2tflite.evaluate.latency import Timing, latency_metrics, measure, thread_counts
from mmdet2tflite.processes import machine


def test_candidates_are_warmed_up_one_by_one_and_then_take_turns():
    calls = []
    candidates = {name: lambda name=name: calls.append(name) for name in "ab"}
    measure(candidates, warmup=2, runs=3)
    assert "".join(calls) == "aabb" + "ababab"


def test_median_quartiles_and_ninetieth_percentile_are_in_milliseconds():
    durations = [d * 1_000_000 for d in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)]  # ns
    readings = iter([reading for d in durations for reading in (50, 50 + d)])
    timings = measure(
        {"x": lambda: None}, warmup=1, runs=len(durations), clock=lambda: next(readings)
    )
    assert timings == {"x": Timing(median=5.0, p90=9.0, quartiles=(2.5, 7.5))}


def test_only_the_run_itself_is_timed():
    now = 0

    def run():
        nonlocal now
        now += 3_000_000

    timing = measure({"x": run}, warmup=5, runs=4, clock=lambda: now)["x"]
    assert timing == Timing(3.0, 3.0, (3.0, 3.0))


def test_zero_threads_are_all_cores_and_no_count_is_measured_twice(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 4)
    assert thread_counts((1, 0, 4, 2)) == [1, 4, 2]


def test_metrics_carry_engine_and_threads():
    assert latency_metrics({"xnnpack.1": Timing(2.0, 3.0, (1.5, 2.5))}) == {
        "latency_ms.xnnpack.1": 2.0,
        "latency_ms.xnnpack.1.p90": 3.0,
    }
