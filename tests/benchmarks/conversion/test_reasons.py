"""A failure in words that say nothing of the machine."""

from benchmarks.conversion.reasons import LENGTH, last_errors, without_folders


def test_a_reason_names_files_without_their_folders_and_keeps_all_else():
    failure = (
        "Model: /a/b-c/d.tflite does not load: x/conv.cc:3\n"
        '    | File "/a/b.py", line 1\n'
        "  to do:    read /e/f.log, 1/2"
    )
    assert without_folders(failure) == (
        "Model: d.tflite does not load: x/conv.cc:3\n"
        '    | File "b.py", line 1\n'
        "  to do:    read f.log, 1/2"
    )


def test_the_last_errors_of_a_log_are_told_without_colours_and_repetitions():
    log = (
        "AError: a\nb.BError: \x1b[31mb\x1b[0m\nC\nb.BError: b\n  CError: no\nERROR: c\nERROR: c\nz"
    )
    assert last_errors(log) == "b.BError: b → ERROR: c"
    assert last_errors("all is well\nErrors: none\n") == ""


def test_an_error_is_cut_after_its_folders_are():
    long = f"ValueError: /{'a/' * LENGTH}file: {'x' * LENGTH}"
    assert last_errors(long) == f"ValueError: file: {'x' * (LENGTH - 18)}"
