"""A failure in one line."""

from mmdet2tflite.bench.reasons import LENGTH, last_errors, reason


def test_a_reason_is_one_line_without_folders():
    assert reason("Model: /a/b-c/d.tflite does not load: x/conv.cc:3\n  to do: /e") == (
        "Model: d.tflite does not load: x/conv.cc:3"
    )


def test_the_reason_of_a_tool_that_died_ends_with_the_last_line_of_its_log():
    failure = (
        "x ended; the end of its log:\n    | File /a/b.py\n    | ValueError: it\n  expected: y"
    )
    assert reason(failure) == "x ended; the end of its log: ValueError: it"


def test_the_last_errors_of_a_log_are_told_without_colours_and_repetitions():
    log = (
        "AError: a\nb.BError: \x1b[31mb\x1b[0m\nC\nb.BError: b\n  CError: no\nERROR: c\nERROR: c\nz"
    )
    assert last_errors(log) == "b.BError: b → ERROR: c"
    assert last_errors("all is well\nErrors: none\n") == ""


def test_an_error_is_cut_after_its_folders_are():
    long = f"ValueError: /{'a/' * LENGTH}file: {'x' * LENGTH}"
    assert last_errors(long) == f"ValueError: file: {'x' * (LENGTH - 18)}"
