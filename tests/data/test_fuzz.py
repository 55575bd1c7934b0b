"""Whatever a data set's files hold: a data set or a UserError comes of it, and nothing else."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet2tflite.config.dataset import CocoData, VocData, YoloData
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.data.prepare import fingerprint, newest_change, prepare
from mmdet2tflite.errors import UserError
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store

quick = settings(max_examples=120, deadline=None, derandomize=True)

NUMBERS = st.one_of(
    st.integers(-3, 60),
    st.floats(-3, 60),
    st.sampled_from([10**15, 2**63, 10**400, 1e308, float("inf"), float("nan"), -1e308, "7", True]),
)
NAMES = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["a.png", "../a.png", "/etc/passwd", "", ".", "/", "//a", "a\0", "a" * 300, "\\"]
    ),
)
JUNK = st.recursive(
    st.none() | NUMBERS | NAMES, lambda inner: st.lists(inner, max_size=3), max_leaves=6
)


def entries(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Any]]:
    entry = st.fixed_dictionaries({}, optional={**fields, "more": JUNK}) | st.fixed_dictionaries(
        fields
    )
    return st.lists(entry | JUNK, max_size=3) | st.lists(st.fixed_dictionaries(fields), max_size=3)


COCO = st.fixed_dictionaries(
    {
        "images": entries({"id": NUMBERS, "file_name": NAMES, "width": NUMBERS, "height": NUMBERS}),
        "annotations": entries(
            {
                "id": NUMBERS,
                "image_id": NUMBERS,
                "category_id": NUMBERS,
                "bbox": st.lists(NUMBERS, min_size=4, max_size=4) | JUNK,
            }
        ),
        "categories": entries({"id": NUMBERS, "name": NAMES}),
    }
)
FIXES = (
    "missing_file",
    "size",
    "zero_area",
    "outside",
    "non_finite",
    "unknown_image",
    "duplicate_id",
)


def take(root: Path, config: CocoData | VocData | YoloData) -> None:
    """All that a run does with a data set: it succeeds, or a UserError can be printed."""
    work = root / "work"
    work.mkdir()
    fingerprint(config)
    newest_change(config)
    try:
        prepare(Job(Store(root / "store"), work, timeout=60), config)
    except UserError as error:
        str(error).encode()


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((30, 40, 3), np.uint8))


@given(COCO)
@quick
def test_any_coco_json(values) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        picture(root / "a.png")
        for split in ("train", "val"):
            (root / f"{split}.json").write_text(json.dumps(values))
        parts = {split: {"annotations": f"{split}.json"} for split in ("train", "val")}
        take(root, CocoData(kind="coco", root=root, fix=FIXES, **parts))


TEXTS = st.one_of(NUMBERS.map(str), NAMES, st.sampled_from(["0", "1", "&lt;", "<", "&x;", "<a/>"]))


@given(names=st.lists(NAMES, max_size=3), texts=st.lists(TEXTS, min_size=8, max_size=8))
@quick
def test_any_voc_xml(names, texts) -> None:
    name, left, top, right, bottom, difficult, width, more = texts
    xml = f"""<annotation>{more}<size><width>{width}</width><height>30</height></size><object>
        <name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{left}</xmin>
        <ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object></annotation>"""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        picture(root / "JPEGImages/a.png")
        (root / "Annotations").mkdir()
        (root / "Annotations/a.xml").write_bytes(xml.encode("utf-8", "surrogatepass"))
        (root / "set.txt").write_bytes("\n".join(["a", *names]).encode("utf-8", "surrogatepass"))
        take(
            root, VocData(kind="voc", root=root, train={"image_set": "set.txt"}, val={}, fix=FIXES)
        )


@given(
    described=st.fixed_dictionaries(
        {},
        optional={
            "path": NAMES,
            "train": NAMES | st.lists(NAMES, max_size=2) | JUNK,
            "val": st.just("images"),
            "names": st.lists(NAMES, max_size=2) | st.dictionaries(NUMBERS, NAMES) | JUNK,
            "nc": NUMBERS,
        },
    ),
    lines=st.lists(st.lists(TEXTS, min_size=4, max_size=7).map(" ".join), max_size=3),
    listed=st.lists(NAMES, max_size=3),
    is_usual=st.booleans(),
)
@quick
def test_any_yolo_files(described, lines, listed, is_usual) -> None:
    if is_usual:
        described = {"train": ["list.txt", "images"], "val": "images", "names": ["a", "b"]}
    with TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        picture(root / "images/a.png")
        (root / "labels").mkdir()
        for name, content in {"labels/a.txt": lines, "list.txt": ["images/a.png", *listed]}.items():
            (root / name).write_bytes("\n".join(content).encode("utf-8", "surrogatepass"))
        (root / "data.yaml").write_text(yaml.safe_dump(described))
        take(Path(folder), YoloData(kind="yolo", data=root / "data.yaml", fix=FIXES))


@given(
    values=st.dictionaries(st.sampled_from(["name", "dataset", "store", "training", "x"]), JUNK),
    override=st.text("ab.=[]{}:-&*!1 \0\x1b", max_size=12),
    more=st.binary(max_size=8),
)
@quick
def test_any_experiment_file(values, override, more) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "experiment.yaml")
        path.write_bytes(yaml.safe_dump({"dataset": {"kind": "digits"}, **values}).encode() + more)
        with suppress(UserError):
            load_experiment(path, [override])
