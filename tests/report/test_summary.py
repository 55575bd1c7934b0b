"""The sentence on a run follows from its numbers."""

from mmdet2tflite.report.summary import summarise


def test_the_fastest_and_the_smallest_are_named_with_those_that_are_as_good(row):
    rows = [
        row("PyTorch", map=0.4, latency_ms=40.0),
        row("a", map=0.4, latency_ms=10.0, size_mb=4.0),
        row("b", map=0.396, latency_ms=10.9, size_mb=1.0),
        row("c", map=0.4, latency_ms=12.0, size_mb=3.9),
    ]
    assert summarise(rows) == (
        "Of 3 exact TFLite files that keep PyTorch's mAP of 0.4000 within 0.005, "
        "a is the fastest (10.00 ms; 1 other within 10%) and b is the smallest (1.00 MB)."
    )


def test_who_loses_more_than_the_tolerated_map_does_not_count(row):
    rows = [
        row("PyTorch", map=0.4),
        row("good", map=0.3951, latency_ms=10.0, size_mb=4.0),
        row("small", map=0.3949, latency_ms=1.0, size_mb=1.0),
    ]
    expected = "good is the only exact TFLite file that keeps PyTorch's mAP of 0.4000 within 0.005."
    assert summarise(rows) == expected


def test_an_inexact_strategy_is_not_recommended_however_good_it_is(row):
    rows = [
        row("PyTorch", map=0.4),
        row("forced", exact=False, map=0.4, latency_ms=1.0, size_mb=1.0),
    ]
    assert summarise(rows) == (
        "No exact TFLite file keeps PyTorch's mAP of 0.4000 within 0.005; "
        "the best is forced with 0.4000."
    )


def test_one_file_may_be_both(row):
    rows = [
        row("PyTorch", map=0.4),
        row("a", map=0.4, latency_ms=5.0, size_mb=1.0),
        row("b", map=0.4, latency_ms=9.0, size_mb=2.0),
    ]
    assert summarise(rows).endswith("a is the fastest (5.00 ms) and the smallest (1.00 MB).")


def test_what_was_not_measured_is_not_mentioned(row):
    rows = [row("PyTorch", map=0.4), row("a", map=0.4, size_mb=2.0), row("b", map=0.4, size_mb=1.0)]
    assert summarise(rows).endswith("within 0.005, b is the smallest (1.00 MB).")


def test_failures_are_counted(row):
    rows = [row("PyTorch", map=0.4), row("a", failure="x"), row("b", failure="y")]
    assert summarise(rows) == "No TFLite file was measured. 2 variants failed."


def test_a_detector_that_finds_nothing_recommends_nothing(row):
    rows = [row("PyTorch", map=0.005), row("a", map=0.005, latency_ms=1.0)]
    assert summarise(rows) == "PyTorch's mAP is 0.0050: there is no accuracy to keep."
