"""Child process: images as a training would see them, and what transforms did to their boxes."""

import itertools
import random
import traceback
from pathlib import Path
from typing import Any

from mmdet2tflite.detector import compat

compat.prepare()  # before anything imports mmdet

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from mmdet.registry import DATASETS  # noqa: E402

from mmdet2tflite.detector import augment, cached_dataset  # noqa: E402, F401  (they register themselves)
from mmdet2tflite.detector.box_fates import COUNTS, ORIENTED, TRAIL, Seen, Watched, watch  # noqa: E402
from mmdet2tflite.detector.command_requests import PreviewRequest, PreviewResult  # noqa: E402
from mmdet2tflite.detector.mmdet_config import build_config  # noqa: E402
from mmdet2tflite.detector.phases import Phase, phases  # noqa: E402
from mmdet2tflite.detector.pipeline_checks import pipeline_cautions  # noqa: E402
from mmdet2tflite.errors import ConfigError  # noqa: E402
from mmdet2tflite.processes.messages import answer, progress  # noqa: E402
from mmdet2tflite.runtime.decode.corners import upright  # noqa: E402


def preview(request: PreviewRequest) -> PreviewResult:
    """Show every phase. Pictures are written as PNG."""
    work = request.work
    config = build_config(request.detector, request.training, request.data, work).to_dict()
    _forget_images(config)
    found = phases(config)
    images, seed = request.images, request.seed
    total = len(found) * images
    shown = [
        show_phase(phase, work / f"phase-{i}", images, seed, (i * images, total))
        for i, phase in enumerate(found)
    ]
    return PreviewResult(phases=shown, cautions=pipeline_cautions(config))


def _forget_images(config: dict[str, Any]) -> None:
    """Every step is to be seen with every image, also where training would remember its result."""
    images = config["train_dataloader"]["dataset"].get("dataset", {})
    if "cache_bytes" in images:
        images["cache_bytes"] = 0


def show_phase(
    phase: Phase, folder: Path, images: int, seed: int, done: tuple[int, int]
) -> dict[str, Any]:
    """Send a seeded sample of images through a phase's pipeline, and draw up the account.

    Args:
        folder: for the pictures.
        images: how many.
        done: images that were shown before, and all there are to show, for the progress bar.

    Raises:
        ConfigError: the pipeline cannot be built, or fails on an image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = _build(phase)
    steps = watch(dataset)
    pictures, story = [], []
    for number, index in enumerate(choose(len(dataset), images, seed)):
        seed_all(seed, index)
        trail = _draw(dataset, index, steps)
        file = Path(dataset.get_data_info(index)["img_path"]).name
        pictures.append(_write(trail[-1], folder / f"{number}.png") | {"file": file})
        if number == 0:
            story = [
                _write(seen, folder / f"step-{i}.png") for i, seen in enumerate(_visible(trail))
            ]
        progress(completed=done[0] + number + 1, total=done[1])
    return {
        "title": phase.title,
        "epochs": [phase.first_epoch, phase.last_epoch],
        "steps": [
            {"name": step.name, **{count: step.counts[count] for count in COUNTS}}
            for step in steps
            if step.counts["calls"]
        ],
        "pictures": pictures,
        "story": story,
    }


def _build(phase: Phase) -> Any:
    try:
        return DATASETS.build(phase.dataset)
    except Exception as error:  # an assertion of a transform, a name that nobody registered …
        traceback.print_exc()
        raise ConfigError(
            f"mmdet cannot build the training data set: {type(error).__name__}: {error}",
            "transforms that mmdet knows, with settings that they take",
            "training would not begin: correct train_dataloader of detector.config",
        ) from error


def choose(available: int, wanted: int, seed: int) -> list[int]:
    """Indices of different images; fewer wanted are the first of more."""
    order = np.random.default_rng(seed).permutation(available)
    return [int(index) for index in order[:wanted]]


def seed_all(seed: int, index: int) -> None:
    """An image's random numbers depend on the seed and on itself, not on those before it."""
    state = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    random.seed(state)
    np.random.seed(state)


def _draw(dataset: Any, index: int, steps: list[Watched]) -> tuple[Seen, ...]:
    try:
        return tuple(dataset[index][TRAIL])
    except Exception as error:  # a transform is anybody's code: it can raise anything
        traceback.print_exc()
        raise ConfigError(
            f"the training pipeline fails on image {dataset.get_data_info(index)['img_path']}: "
            f"{type(error).__name__}: {error}",
            f"one that takes every image; this one is {' → '.join(s.name for s in steps)}",
            "training would end here too: correct the pipeline of detector.config",
        ) from error


def _visible(trail: tuple[Seen, ...]) -> list[Seen]:
    """The steps after which picture or boxes differ from before."""
    pairs = itertools.pairwise(trail)
    changed = [
        after
        for before, after in pairs
        if not np.array_equal(before.picture, after.picture)
        or not np.array_equal(before.boxes, after.boxes)
    ]
    return [trail[0], *changed]


def _write(seen: Seen, path: Path) -> dict[str, Any]:
    cv2.imwrite(str(path), seen.picture)
    values = {
        "step": seen.step,
        "picture": str(path),
        "size": [seen.picture.shape[1], seen.picture.shape[0]],
        "boxes": seen.boxes.round(2).tolist(),
        "labels": seen.labels,
    }
    if seen.boxes.shape[1] == ORIENTED:
        values["boxes"] = upright(seen.boxes).round(2).tolist()
        values["oriented"] = seen.boxes.round(4).tolist()  # a ten thousandth: of a radian, too
    return values


if __name__ == "__main__":
    answer(preview, PreviewRequest)
