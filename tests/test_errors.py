"""How an error reads in a table."""

from mmdet2tflite.errors import ToolFailed, one_line


def test_in_a_line_stand_what_was_found_and_the_end_of_the_log_that_it_quotes():
    found = "x ended; the end of its log:\n    | File a.py\n    | ValueError: it"
    assert one_line(str(ToolFailed(found, "y", "z"))) == (
        "Tool failed: x ended; the end of its log: ValueError: it"
    )
    assert one_line(str(ToolFailed("x ended", "y", "z"))) == "Tool failed: x ended"
