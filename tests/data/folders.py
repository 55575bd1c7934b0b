"""Small folders in all four formats, as a stranger has them: ten pictures of 64x48, two classes."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import yaml

WIDTH, HEIGHT, PICTURES = 64, 48, 10
NAMES = ("cat", "dog")
BOX = (8, 6, 16, 12)
"""x, y, width, height of the one object of each picture; cats and dogs take turns."""


def picture(path: Path, seed: int) -> None:
    """Fields of 8 pixels, unlike those of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    assert cv2.imwrite(str(path), np.kron(fields, np.ones((4, 4, 1), np.uint8)))


def pictures(folder: Path, first: int = 0) -> list[Path]:
    paths = [folder / f"p{first + number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        picture(path, first + number)
    return paths


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coco_json(path: Path, images: list[Path], relative_to: Path) -> None:
    values = {
        "images": [
            {"id": at, "file_name": str(each.relative_to(relative_to))}
            for at, each in enumerate(images, start=1)
        ],
        "annotations": [
            {"id": at, "image_id": at, "category_id": at % 2 + 1, "bbox": BOX}
            for at in range(1, len(images) + 1)
        ],
        "categories": [{"id": at, "name": name} for at, name in enumerate(NAMES, start=1)],
    }
    write(path, json.dumps(values))


def xml(number: int) -> str:
    x, y, width, height = BOX
    corners = {"xmin": x, "ymin": y, "xmax": x + width, "ymax": y + height}
    inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners.items())
    name = f"<name>{NAMES[number % 2]}</name>"
    return f"<annotation><object>{name}<bndbox>{inside}</bndbox></object></annotation>"


def yolo_line(number: int) -> str:
    x, y, width, height = BOX
    centre = (x + width / 2) / WIDTH, (y + height / 2) / HEIGHT
    return " ".join(map(str, (number % 2, *centre, width / WIDTH, height / HEIGHT))) + "\n"


def dota_line(number: int) -> str:
    x, y, width, height = BOX
    corners = (x, y, x + width, y, x + width, y + height, x, y + height)
    return " ".join(map(str, (*corners, NAMES[number % 2], 0))) + "\n"


def coco(root: Path) -> None:
    coco_json(root / "labels.json", pictures(root / "photos"), root / "photos")


def voc(root: Path) -> None:
    for number, path in enumerate(pictures(root / "shots")):
        write(root / "marks" / f"{path.stem}.xml", xml(number))


def yolo(root: Path) -> None:
    for number, path in enumerate(pictures(root / "images")):
        write(root / "labels" / f"{path.stem}.txt", yolo_line(number))
    values = {"train": "images", "val": "images", "names": list(NAMES)}
    write(root / "anything.yml", yaml.safe_dump(values))


def yolo_without_yaml(root: Path) -> None:
    yolo(root)
    (root / "anything.yml").unlink()
    write(root / "classes.txt", "\n".join(NAMES))


def dota(root: Path) -> None:
    for number, path in enumerate(pictures(root / "pictures")):
        write(root / "texts" / f"{path.stem}.txt", "imagesource:x\n" + dota_line(number))


FOLDERS: dict[str, Callable[[Path], None]] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "yolo without a yaml": yolo_without_yaml,
    "dota": dota,
}
