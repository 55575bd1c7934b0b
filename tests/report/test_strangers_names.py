"""Names of classes, files and layers stand in the terminal and in Markdown as they are."""

import io

import pytest
from rich.table import Table

from mmdet2tflite.report.markdown import markdown, quoted
from mmdet2tflite.report.terminal import SafeConsole, comparison_table
from mmdet2tflite.safe_text import plain

NASTY = "\x1b[2J[red]x[/red] [link=http://evil]cat[/link] :cat: \u202e\n| `a` <img src=x> **b**"
ROW = {"variant": NASTY, "metrics": {}, "failure": "```\n<script>\x1b[31m", "kind": "tflite"}


def printed(*what: object) -> str:
    out = io.StringIO()
    console = SafeConsole(file=out, width=300, force_terminal=True, color_system=None)
    for each in what:
        console.print(each)
    return out.getvalue()


def test_a_table_shows_markup_and_escapes_of_a_name_as_text() -> None:
    text = printed(comparison_table([ROW]))
    assert r"\x1b[2J[red]x[/red] [link=http://evil]cat[/link] :cat: \u202e" in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text


def test_nothing_that_is_printed_obeys_or_tells_a_password() -> None:
    table = Table("a\x1bb")
    table.add_row("s3://key:secret@bucket \x9b31m")
    text = printed("x\x1b]0;title\x07 https://me:secret@host", table)
    assert "\x9b" not in text
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("explicit · onnx2tf · int8_io", "explicit · onnx2tf · int8_io"),
        ("a|b `c` <img src=x> &lt;", r"a\|b \`c\` \<img src=x\> \&lt;"),
        ("[x](http://y) ![z](w) www.v", r"\[x\](http\://y) !\[z\](w) www\.v"),
        ("*a* _b_ ~c~ $d$ e@f", r"\*a\* \_b\_ \~c\~ \$d\$ e\@f"),
        ("# a", r"\# a"),
        ("a\nb\x1b", r"a\\nb\\x1b"),
        ("s3://a:b@c", r"s3\://a:\*\*\*\@c"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_quoted_text_does_not_end_its_block() -> None:
    assert quoted("a\n```\n````\nb") == "`````\na\n```\n````\nb\n`````"


def test_a_comparison_has_as_many_columns_in_each_row_as_headings() -> None:
    parts = {"mistakes": {}, "losses": [], "budgets": [], "precisions": [], "magnitudes": []}
    lines = markdown({"summary": NASTY, "rows": [ROW], **parts}).splitlines()
    heading, row = lines[2], lines[4]
    assert row.replace(r"\|", "").count("|") == heading.count("|")
    assert "<img" not in markdown({"summary": NASTY, "rows": [], **parts}).replace(r"\<img", "")
