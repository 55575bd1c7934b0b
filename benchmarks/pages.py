"""What a benchmark measured goes into a page of docs/, between two markers of its name."""

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.

    Raises:
        ValueError: the page has not both of them.
    """
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{page} lacks {first} or {last}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
