"""Several machines at one store: what a manifest says is true, whoever else wrote meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmdet2tflite.artifacts import Artifact, Report
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.manifest import LOGS, MANIFEST, parse_manifest
from mmdet2tflite.store.store import Store
from tests.store.building import build, files, never, report, writes

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def machines(remote: str, another_machine: Callable[[], None]) -> list[Store]:
    first = Store(remote)
    another_machine()
    return [first, Store(remote)]


def makes(content: str) -> Callable[[Path], Artifact]:
    """Files of the same names for everybody; a log, which the digest leaves out."""

    def make(work: Path) -> Report:
        (work / "weights.txt").write_text(content)
        (work / LOGS / "tool.log").write_text(f"{content} at {work}")
        return report()

    return make


def while_making(other: Callable[[], object], make: Callable) -> Callable:
    def both(work: Path) -> Artifact:
        other()
        return make(work)

    return both


def contents(store: Store, artifact: Artifact) -> dict[str, str]:
    return {n: store.path(artifact, n).read_text() for n in ("weights.txt", f"{LOGS}/tool.log")}


@pytest.mark.parametrize("contents_of_both", [("same", "same"), ("one", "other")])
def test_of_two_machines_that_make_the_same_the_first_one_wins_and_the_other_adopts_its_artefact(
    machines: list[Store], remote: str, contents_of_both: tuple[str, str]
) -> None:
    quick, slow = machines
    first: list[Artifact] = []
    one, other = contents_of_both
    quicker = while_making(lambda: first.append(build(quick, makes(one))), makes(other))
    assert build(slow, quicker) == first[0]
    assert contents(slow, first[0]) == contents(quick, first[0])
    assert contents(slow, first[0])["weights.txt"] == one
    assert len(files("weights.txt")) == 1
    assert not list(slow.work.rglob("weights.txt"))


def test_a_server_that_cannot_put_on_condition_lets_the_last_one_win_whole(
    machines: list[Store], remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = MemoryFileSystem.pipe_file
    monkeypatch.setattr(
        MemoryFileSystem,
        "pipe_file",
        lambda self, path, value, mode="": original(self, path, value),
    )
    quick, slow = machines
    build(slow, while_making(lambda: build(quick, makes("one")), makes("other")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(slow.work / "third"))
    reader = Store(remote)
    found = reader.find("stage", "key")
    assert found is not None
    assert contents(reader, found)["weights.txt"] == "other"


class Cut(Exception):
    """The network."""


@given(
    enter=st.integers(0, 4),
    fail=st.integers(0, 6),
    answer_lost=st.booleans(),
    contents_of_both=st.tuples(st.sampled_from("ab"), st.sampled_from("ab")),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whenever_another_machine_comes_in_or_the_network_fails_a_reader_finds_all_or_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    enter: int,
    fail: int,
    answer_lost: bool,
    contents_of_both: tuple[str, str],
) -> None:
    """Before request ``enter`` of the one machine the other does all; request ``fail`` breaks."""
    folder = tmp_path_factory.mktemp("machines")
    with pytest.MonkeyPatch.context() as patch:
        stores = []
        for name in ("slow", "quick", "reader"):
            patch.setenv("XDG_CACHE_HOME", str(folder / name))
            stores.append(Store("memory://shared"))
        slow, quick, reader = stores
        count, inside = -1, False

        def request(original: Callable) -> Callable:
            def do(*words: object, **options: object) -> object:
                nonlocal count, inside
                if inside:
                    return original(*words, **options)
                count += 1
                if count == enter:
                    inside = True
                    build(quick, makes(contents_of_both[1]))
                    inside = False
                if count == fail and not answer_lost:
                    raise Cut
                result = original(*words, **options)
                if count == fail:
                    raise Cut
                return result

            return do

        for name in ("put_file", "pipe_file"):
            patch.setattr(MemoryFileSystem, name, request(getattr(MemoryFileSystem, name)))
        try:
            built = build(slow, makes(contents_of_both[0]))
        except StoreError:
            assert fail <= count
            built = None
        inside = True
        found = reader.find("stage", "key")
        assert built in (None, found)
        if found is not None:
            expected = contents(reader, found)  # each file is checked against the manifest
            assert built is None or contents(slow, built) == expected
        again = build(slow, makes(contents_of_both[0]))
        assert contents(reader, again) == contents(slow, again)
        assert again == (found or again)
        fsspec.filesystem("memory").store.clear()


def test_on_a_remote_root_the_manifest_is_uploaded_last(
    remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(Store(remote), makes("content"))
    assert len(uploaded := [path for path in files() if "/stage/" in path]) == 3
    assert uploaded[-1] == f"/bucket/prefix/stage/key/{MANIFEST}"
    assert all(path.split("/")[5] for path in uploaded[:-1])


def test_an_upload_that_breaks_off_leaves_nothing_visible_and_is_not_made_again(
    machines: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = machines

    def breaks(self: object, source: str, target: str, **_: object) -> None:
        raise ConnectionResetError("network")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "put_file", breaks)
        with pytest.raises(StoreError, match="is made and could not be uploaded") as caught:
            build(here, writes("content"))
    assert "run again: it is uploaded, not made again" in caught.value.remedy
    assert elsewhere.find("stage", "key") is None
    assert build(here, never) == elsewhere.find("stage", "key")


def test_what_lost_a_race_or_broke_off_is_left_over_until_a_clean_up(
    machines: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = machines
    kept = build(here, makes("content"))
    here.remember("name", kept)
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/prefix/stage/key/attempt/log/tool.log", b"abc")
    memory.pipe_file("/bucket/prefix/stage/other/attempt/weights.txt", b"abcd")
    found = elsewhere.leftovers(LATER)
    assert {each.folder: each.size for each in found} == {
        "stage/key/attempt": 3,
        "stage/other/attempt": 4,
    }
    assert elsewhere.leftovers(NOW - timedelta(hours=1)) == []
    for each in found:
        elsewhere.remove_leftover(each)
    assert elsewhere.leftovers(LATER) == []
    assert contents(elsewhere, kept)["weights.txt"] == "content"
    assert elsewhere.finished() == [kept]


def test_what_is_removed_leaves_nothing_over(machines: list[Store]) -> None:
    here, elsewhere = machines
    built = build(here, makes("content"))
    elsewhere.remove(built)
    here.remove(built)  # by another clean-up
    assert [path for path in files() if "/stage/" in path] == []
    assert here.find("stage", "key") is None


def test_what_another_machine_made_again_replaces_the_copy(machines: list[Store]) -> None:
    here, elsewhere = machines
    old = build(here, makes("old"))
    assert contents(elsewhere, old)["weights.txt"] == "old"
    here.remove(old)
    new = build(here, makes("new"))
    assert contents(elsewhere, new)["weights.txt"] == "new"


def test_an_artefacts_own_file_is_not_taken_for_a_manifest(machines: list[Store]) -> None:
    here, elsewhere = machines
    built = build(here, writes("{}", f"model/{MANIFEST}"))
    assert elsewhere.finished() == [built]
    assert elsewhere.path(built, f"model/{MANIFEST}").read_text() == "{}"


def test_a_local_store_has_no_leftovers(store: Store) -> None:
    build(store, makes("content"))
    assert store.leftovers(LATER) == []


def test_the_manifest_of_a_copy_is_that_of_the_store(machines: list[Store]) -> None:
    here, elsewhere = machines
    built = build(here, makes("content"))
    copied = parse_manifest(elsewhere.path(built, MANIFEST).read_bytes())
    assert copied == elsewhere.manifest(built)
