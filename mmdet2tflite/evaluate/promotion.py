"""Whether a new model may take the champion's place: rules, numbers, and a verdict in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmdet2tflite.artifacts import Dataset, Report
from mmdet2tflite.config.experiment import Promotion, Variants
from mmdet2tflite.data.files import split_paths
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.evaluate.bootstrap import PairedBootstrap, paired_bootstrap
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.safe_text import plain
from mmdet2tflite.store.store import Store

type Row = Mapping[str, Any]
"""Of ``comparison.json``."""

LATENCY, SIZE, LOSS = "latency_ms", "size_mb", "map_change"


@dataclass(frozen=True)
class Check:
    """One rule: whether it was kept, and a sentence with the numbers."""

    rule: str
    kept: bool
    sentence: str


@dataclass(frozen=True)
class Decision:
    """All rules of one candidate. It is promoted if every one was kept."""

    variant: str
    checks: tuple[Check, ...]
    numbers: Mapping[str, float]

    @property
    def promoted(self) -> bool:
        """The verdict."""
        return all(check.kept for check in self.checks)

    @property
    def sentence(self) -> str:
        """The verdict in a line, with the reasons of a refusal."""
        if self.promoted:
            return f"promoted: {self.variant}; {self.checks[0].sentence}"
        reasons = "; ".join(check.sentence for check in self.checks if not check.kept)
        return f"refused: {self.variant}; {reasons}"

    def markdown(self) -> str:
        """The verdict, and a table of all rules."""
        lines = [plain(self.sentence), "", "| rule | kept | |", "| --- | --- | --- |"]
        lines += [
            f"| {check.rule} | {'yes' if check.kept else '**no**'} | {plain(check.sentence)} |"
            for check in self.checks
        ]
        return "\n".join(lines)


def check_possible(variants: Variants, settings: Promotion) -> None:
    """Before anything is trained: the experiment makes what shall be promoted.

    Raises:
        ConfigError: it does not.
    """
    made: dict[str, tuple[str, ...]] = {
        "strategy": variants.padding,
        "converter": variants.converters,
        "precision": variants.precisions,
    }
    for axis, values in made.items():
        value = getattr(settings, axis)
        # `auto` may become any strategy.
        if value is not None and value not in values and "auto" not in values:
            raise ConfigError(
                f"promotion.{axis} is {value}, and the experiment makes {', '.join(values)}",
                "a file that the experiment makes",
                "change `promotion`, or what `variants` makes",
            )


def choose(rows: Sequence[Row], settings: Promotion) -> Row:
    """The file of a run that shall compete.

    1. Measured TFLite files whose strategy, converter and precision are those that are asked for;
       where no strategy is, of any exact one.
    2. Of those that keep the mAP of the first row within ``parity_loss``, the one with the lowest
       latency; if none does, the one with the highest mAP.

    Raises:
        ConfigError: the run made no such file.
    """
    wanted = {
        axis: value
        for axis in ("strategy", "converter", "precision")
        if (value := getattr(settings, axis)) is not None
    }
    files = [row for row in rows if row["kind"] == "tflite" and "map" in row["metrics"]]
    fitting = [
        row
        for row in files
        if all(row[axis] == value for axis, value in wanted.items())
        and (row["exact"] or "strategy" in wanted)
    ]
    if not fitting:
        words = ", ".join(f"{axis}: {value}" for axis, value in wanted.items()) or "any exact file"
        made = ", ".join(row["variant"] for row in files) or "none"
        raise ConfigError(
            f"no TFLite file of this run is what `promotion` asks for ({words}); there are: {made}",
            "a variant that the experiment makes",
            "change `promotion`, or what `variants` makes",
        )
    kept = [row for row in fitting if row["metrics"][LOSS] >= -settings.parity_loss]
    if not kept:
        return max(fitting, key=lambda row: row["metrics"]["map"])
    return min(kept, key=lambda row: row["metrics"][LATENCY])


def compare(
    store: Store, dataset: Dataset, champion: Report, candidate: Report, settings: Promotion
) -> PairedBootstrap:
    """Draw the images of two reports on the same data.

    Raises:
        ConfigError: they are on other images, or only one is on oriented boxes.
    """
    first, second = (Evaluated.load(store.path(report)) for report in (champion, candidate))
    image_ids = list(first.detections)
    if image_ids != list(second.detections):
        raise ConfigError(
            "champion and candidate were measured on different images",
            "reports on the same validation images",
        )
    if first.oriented != second.oriented:
        raise ConfigError(
            "of champion and candidate, one finds oriented boxes and the other upright ones",
            "mAPs of one kind of boxes",
            "promote by hand",
        )
    annotations = json.loads(split_paths(store, dataset, "val")[0].read_text(encoding="utf-8"))
    return paired_bootstrap(
        annotations,
        first.coco_results(),
        second.coco_results(),
        image_ids,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def decide(
    settings: Promotion,
    candidate: Row,
    champion: Mapping[str, float],
    difference: PairedBootstrap,
) -> Decision:
    """Apply all rules.

    1. accuracy: with ``confidence``, the mAP is not worse by more than ``margin``.
    2. latency: at most ``latency_ratio`` times the champion's.
    3. size: at most ``size_ratio`` times the champion's.
    4. parity: as ``decide_first``.

    Args:
        candidate: what ``choose`` chose.
        champion: the metrics ``latency_ms`` and ``size_mb``.
        difference: candidate's mAP less the champion's.
    """
    lowest = difference.lower_bound(settings.confidence)
    sentence = (
        f"mAP {difference.second:.4f} against the champion's {difference.first:.4f} "
        f"({difference.difference:+.4f}); with {settings.confidence:.0%} confidence no worse than "
        f"{lowest:+.4f}, allowed is {-settings.margin:+.4f} "
        f"({len(difference.differences)} draws of the images, seed {settings.seed})"
    )
    checks = (
        Check("accuracy", lowest >= -settings.margin, sentence),
        _ratio("latency", "ms", LATENCY, candidate, champion, settings.latency_ratio),
        _ratio("size", "MB", SIZE, candidate, champion, settings.size_ratio),
        _parity(settings, candidate),
    )
    numbers = {
        "map": difference.second,
        "champion_map": difference.first,
        "map_difference": difference.difference,
        "map_lower_bound": lowest,
        **{
            f"{name}_ratio": candidate["metrics"][name] / champion[name] for name in (LATENCY, SIZE)
        },
    }
    return Decision(candidate["variant"], checks, numbers)


def decide_first(settings: Promotion, candidate: Row) -> Decision:
    """Where there is no champion yet: the file finds something, and is what was trained.

    1. accuracy: the mAP is above 0.
    2. parity: the mAP is at most ``parity_loss`` below that of the network it was made of.
    """
    accuracy = candidate["metrics"]["map"]
    sentence = f"mAP {accuracy:.4f}; there is no champion to compare with"
    checks = (Check("accuracy", accuracy > 0, sentence), _parity(settings, candidate))
    return Decision(candidate["variant"], checks, {"map": accuracy})


def refuse_classes(candidate: Row, champion: Sequence[str], dataset: Sequence[str]) -> Decision:
    """A champion that knows other classes cannot be compared with."""
    sentence = (
        f"the champion knows other classes ({', '.join(champion)}) than the data set "
        f"({', '.join(dataset)}): promote by hand"
    )
    return Decision(candidate["variant"], (Check("classes", False, sentence),), {})


def _ratio(
    rule: str, unit: str, metric: str, candidate: Row, champion: Mapping[str, float], limit: float
) -> Check:
    mine, other = candidate["metrics"][metric], champion[metric]
    sentence = (
        f"{rule} {mine:.2f} {unit} against {other:.2f} {unit}: {mine / other:.2f} times, allowed "
        f"is {limit:g}"
    )
    return Check(rule, mine <= limit * other, sentence)


def _parity(settings: Promotion, candidate: Row) -> Check:
    loss = -candidate["metrics"][LOSS]
    sentence = f"mAP lost on the way from PyTorch: {loss:.4f}, allowed is {settings.parity_loss:g}"
    return Check("parity", loss <= settings.parity_loss, sentence)
