"""Mistakes of a training pipeline that mmdet does not notice, found in its config or its pictures.

1. RandomAffine's negative ``border`` takes back the canvas that Mosaic has doubled. On an image
   that Mosaic has not doubled it leaves the top-left corner, or nothing, and drops the boxes, while
   training goes on without a word. So a negative border needs a Mosaic before it, in every phase of
   the training, with probability 1.
2. A box that is turned is replaced by the axis-aligned box around it. At 10 degrees that of a
   square is larger by a third already (cos 10° + sin 10°, squared, is 1.34), at 30 degrees by 87 %:
   the network learns boxes that do not fit. Oriented boxes turn with their objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet2tflite.detector.phases import Phase, phases
from mmdet2tflite.detector.scope import is_rotated

MOSAICS = ("Mosaic", "CachedMosaic")
LARGEST_ROTATION = 10.0
ROTATIONS = {
    "RandomAffine": ("max_rotate_degree", 10.0),
    "CanvasAffine": ("max_rotate_degree", 10.0),
    "Rotate": ("max_mag", 30.0),
}
"""Transforms that rotate → the setting of the largest angle, and its default."""


@dataclass(frozen=True)
class Caution:
    """Something that is allowed and probably wrong: what was found, and what to do."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


def pipeline_cautions(config: Mapping[str, Any]) -> list[Caution]:
    """Check the training pipeline of a complete mmdet config, phase by phase, by the rules above.

    Raises:
        ConfigError: the training would end in an error at a change of phase.
    """
    oriented = is_rotated(config)
    found = {
        caution: None
        for phase in phases(config)
        for chain in phase.chains()
        for caution in (*_borders(phase, chain), *(() if oriented else _rotations(chain)))
    }
    return list(found)  # each once, in order


def measured_cautions(
    shown: Sequence[Mapping[str, Any]], input_size: tuple[int, int]
) -> list[Caution]:
    """What the phases of ``preview.json`` tell: boxes that vanish, pictures of another size."""
    found = [
        Caution(
            f"{step['name']} drops {step['vanished']} of {step['given']} boxes whose objects are "
            f"still in the picture ({phase['title']})",
            "correct this transform: the network learns that they are background",
        )
        for phase in shown
        for step in phase["steps"]
        if step["vanished"]
    ]
    sizes = {tuple(picture["size"]) for phase in shown for picture in phase["pictures"]}
    if others := sorted(sizes - {input_size}):
        words = ", ".join(f"{width}x{height}" for width, height in others)
        found.append(
            Caution(
                f"pictures of {words} pixels are shown, and the network is exported for "
                f"{input_size[0]}x{input_size[1]}",
                "let the pipeline end in detector.input_size, or use training.augmentation's own",
            )
        )
    return found


def _borders(phase: Phase, chain: list[Mapping[str, Any]]) -> Iterator[Caution]:
    doubled = False
    for step in chain:
        doubled |= step["type"] in MOSAICS and step.get("prob", 1.0) == 1
        for inner in _flat(step):
            border = tuple(inner.get("border", (0, 0)))
            if inner["type"] == "RandomAffine" and min(border) < 0 and not doubled:
                yield Caution(
                    f"RandomAffine has border={border} without a Mosaic before it "
                    f"({_when(phase)}): it crops what nothing has doubled, and the boxes vanish",
                    "take `border` out, or skip RandomAffine wherever Mosaic is skipped "
                    "(skip_type_keys of YOLOXModeSwitchHook)",
                )


def _rotations(chain: list[Mapping[str, Any]]) -> Iterator[Caution]:
    for step in (inner for outer in chain for inner in _flat(outer)):
        setting, default = ROTATIONS.get(step["type"], ("", 0.0))
        degrees = step.get(setting, default)
        if degrees > LARGEST_ROTATION:
            yield Caution(
                f"{step['type']} rotates by up to {degrees:g} degrees ({setting}): the "
                "axis-aligned boxes around what was turned grow, and no longer fit",
                f"set {setting} to {LARGEST_ROTATION:g} or less",
            )


def _flat(step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A transform, and those that it applies at random (RandomApply, RandomChoice, …)."""
    yield step
    pending = list(step.get("transforms", ()))
    while pending:
        inner = pending.pop(0)
        if isinstance(inner, Mapping):
            yield from _flat(inner)
        else:
            pending = [*inner, *pending]  # RandomChoice holds lists


def _when(phase: Phase) -> str:
    return f"epochs {phase.first_epoch} to {phase.last_epoch}"
