"""What the digest of an artefact covers, and what it leaves out."""

from collections.abc import Callable
from pathlib import Path

from mmdet2tflite.artifacts import Report
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store
from tests.store.building import build, report, writes


def digest(store: Store, key: str, *makes: Callable, value: Report | None = None) -> str:
    def make(work: Path) -> Report:
        for one in makes:
            one(work)
        return value or report()

    return build(store, make, key).digest


def test_the_digest_ignores_logs_metrics_and_key(store: Store) -> None:
    plain = digest(store, "a", writes("x"))
    assert digest(store, "b", writes("x"), writes("12:00", f"{LOGS}/tool.log")) == plain
    assert digest(store, "c", writes("x"), value=report(seconds=1.5)) == plain


def test_the_digest_depends_on_contents_names_and_fields(store: Store) -> None:
    digests = {
        digest(store, "a", writes("x")),
        digest(store, "b", writes("y")),
        digest(store, "c", writes("x", "other.txt")),
        digest(store, "d", writes("x"), value=report(runtime="tflite")),
        digest(store, "e", writes("x"), writes("x", "log.txt")),
    }
    assert len(digests) == 5
