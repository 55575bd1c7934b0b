"""Which artefacts a clean-up takes, and what it leaves."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest

from mmdet2tflite.artifacts import Artifact, Comparison
from mmdet2tflite.store.cleaning import unneeded
from mmdet2tflite.store.store import Store
from tests.store.building import build, report, writes

LATER = datetime.now(UTC) + timedelta(days=1)
"""Everything in these tests was made before."""


def keep(store: Store, key: str, *made_of: Artifact, content: str = "") -> Artifact:
    """An artefact whose files are its key, made of others."""
    inputs = {str(number): each.digest for number, each in enumerate(made_of)} | {"none": None}
    make = writes(content or key, value=report(key))
    return store.build("stage", key, make, origin={"inputs": inputs})


def gone(store: Store, *used: Artifact, made_before: datetime = LATER) -> list[str]:
    places = {(artifact.stage, artifact.key) for artifact in used}
    return [each.artifact.key for each in unneeded(store, places, made_before)]


def test_what_is_used_stays_with_all_that_it_was_made_of(store: Store) -> None:
    dataset = keep(store, "dataset")
    weights = keep(store, "weights", dataset)
    used, unused = keep(store, "used", weights), keep(store, "unused", weights)
    keep(store, "report", unused)
    assert sorted(gone(store, used)) == ["report", "unused"]
    assert sorted(gone(store, weights)) == ["report", "unused", "used"]
    assert sorted(gone(store)) == ["dataset", "report", "unused", "used", "weights"]


def test_of_two_keys_with_the_same_result_both_stay(store: Store) -> None:
    # The inputs of a stage are digests: which of the two was meant is not known.
    same = writes("same", value=report("same"))
    one, other = (store.build("stage", key, same, origin={}) for key in ("one", "other"))
    assert one.digest == other.digest
    assert gone(store, keep(store, "used", one)) == []


def test_what_was_made_lately_stays(store: Store) -> None:
    keep(store, "made")
    assert gone(store, made_before=datetime.now(UTC) - timedelta(days=1)) == []
    assert gone(store) == ["made"]


def test_what_compare_would_print_stays(store: Store) -> None:
    variant = keep(store, "variant")
    comparison = Comparison(experiment="digits", summary="")
    inputs = {"model 0": variant.digest}
    kept = store.build(
        "comparison", "last", writes("", value=comparison), origin={"inputs": inputs}
    )
    assert sorted(gone(store)) == ["last", "variant"]
    store.remember("digits", kept)
    assert gone(store) == []


def test_what_is_used_and_not_there_does_not_matter(store: Store) -> None:
    there = keep(store, "there")
    absent = there.model_copy(update={"key": "absent"})
    assert gone(store, absent) == ["there"]


def test_the_largest_come_first_with_their_sizes(store: Store) -> None:
    for key, size in (("small", 10), ("large", 1000), ("middle", 100)):
        keep(store, key, content="x" * size)
    found = unneeded(store, (), LATER)
    assert [each.artifact.key for each in found] == ["large", "middle", "small"]
    assert [each.size for each in found] == [1000, 100, 10]


@pytest.mark.parametrize("remote", [False, True])
def test_a_removed_artefact_is_gone_and_can_be_made_again(
    tmp_path: Path, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = f"memory://{tmp_path.name}" if remote else str(tmp_path / "store")
    store = Store(root)
    one, other = keep(store, "one"), keep(store, "other")
    copy = store.path(one, "file.txt")
    assert copy.exists()
    store.remove(one)
    assert store.find("stage", "one") is None
    assert not copy.exists()
    fs, path = fsspec.core.url_to_fs(root)
    assert fs.find(f"{path}/stage/one") == []
    assert [found.key for found in store.finished()] == ["other"]
    assert store.path(other, "file.txt").read_text() == "other"
    assert build(store, writes("again"), key="one").key == "one"


def test_a_removal_that_is_interrupted_leaves_nothing_that_looks_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = keep(store, "one")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        store.remove(artifact)
    assert store.find("stage", "one") is None
    assert store.finished() == []
