"""The command line. Heavy modules are imported by the command that needs them, not here."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmdet2tflite.cli import models as cli_models
from mmdet2tflite.cli.command_line import Application, AsJson, ExperimentFile, Overrides
from mmdet2tflite.cli.doctor import doctor
from mmdet2tflite.cli.network_commands import convert, plan
from mmdet2tflite.config.names import DataFormat
from mmdet2tflite.processes.exit_status import run_and_report

app = Application(
    help="From a data set to a detector in TensorFlow Lite that still sees what it saw in PyTorch.",
    no_args_is_help=True,
)


def main() -> NoReturn:
    """Entry point of the ``mmdet2tflite`` command."""
    sys.exit(run_and_report(app))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version("mmdet2tflite"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder with pictures and their annotations.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write, by default FOLDER's name with .yaml."),
    ] = None,
    kind: Annotated[
        DataFormat | None,
        typer.Option("--format", help="Look for this format alone."),
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Ask for the settings that matter.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write an experiment for a folder with pictures and annotations.

    Finds the annotations (COCO, VOC, YOLO, DOTA) by their content, checks them, makes a validation
    split if there is none, and proposes input size, detector, epochs and batch, with the reasons.
    """
    from mmdet2tflite.cli.init import init_experiment

    init_experiment(folder, out, kind, edit=edit, force=force)


@app.command()
def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
) -> None:
    """Run an experiment, from the data set to the report.

    What was already made with the same settings is taken from the store.
    """
    from mmdet2tflite.config.loading import load_experiment
    from mmdet2tflite.config.project import project_root
    from mmdet2tflite.processes.replace_process import replace_process

    load_experiment(experiment, overrides or ())  # a mistake shows before the flow's slow start
    words = [str(experiment.resolve())]
    for override in overrides or ():
        words += ["--set", override]
    replace_process(project_root(), "flows", words)


@app.command()
def compare(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    store: Annotated[
        str | None, typer.Option(help="Store to look in, by default the experiment's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the last comparison of an experiment again, and where its page is."""
    from mmdet2tflite.config.loading import load_experiment
    from mmdet2tflite.config.project import project_root
    from mmdet2tflite.report.stored import last_comparison, read_comparison
    from mmdet2tflite.report.terminal import print_comparison
    from mmdet2tflite.store.store import Store

    settings = load_experiment(experiment, overrides or ())
    if store is None:
        is_url = "://" in settings.store
        store = settings.store if is_url else str(project_root() / settings.store)
    place = Store(store)
    comparison = last_comparison(place, settings.name)
    values, page = read_comparison(place, comparison), place.path(comparison, comparison.page)
    if as_json:
        print(json.dumps({**values, "report": str(page)}, indent=1))
    else:
        print_comparison(values, page)


@app.command()
def preview(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the gallery, by default preview/NAME."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="How many training images to show.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and the augmentation.")] = 0,
) -> None:
    """Show what a training would show the network: augmented images with their boxes.

    Writes preview.html, preview.png and preview.json, counts for each transform the boxes that
    leave the picture, vanish or become too small, and warns of pipelines that lose boxes.
    """
    from mmdet2tflite.cli.preview import preview_and_print

    preview_and_print(experiment, overrides or (), out, images, seed)


@app.command()
def train_node(
    experiment: ExperimentFile,
    node: Annotated[int, typer.Option(min=1, help="Number of this machine; the first is 0.")],
    overrides: Overrides = None,
) -> None:
    """Train along on a further machine; the first one runs the experiment (docs/training.md)."""
    from mmdet2tflite.cli.train_node import train_along

    train_along(experiment, overrides or (), node)


@app.command()
def marks(
    model: Annotated[
        Path,
        typer.Argument(
            help="Experiment (YAML), or a checkpoint: weights beside their config.py.",
            metavar="CHECKPOINT_OR_EXPERIMENT",
        ),
    ],
    overrides: Overrides = None,
    trust_config: Annotated[
        bool, typer.Option("--trust-config", help="Run a checkpoint's config.py from elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List where a detector can be cut: name, tensors, type and shape of every mark.

    Two of them are a cut, which a deploy config names (docs/detectors.md). The config.py of a
    checkpoint is a program, and runs: one that is not from this project's store must be trusted.
    """
    from mmdet2tflite.cli import marks
    from mmdet2tflite.cli.marks_table import print_marks

    found = marks.find_marks(model, overrides or (), trust_config=trust_config)
    if as_json:
        print(marks.as_json(found))
    else:
        print_marks(found)


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="TFLite file.", metavar="MODEL.tflite")],
    as_json: AsJson = False,
) -> None:
    """Show what a TFLite file is made of.

    Operators, inputs and outputs, every PAD with its reader and whether XNNPACK fuses it, how
    strided convolutions pad, padding flags, and the file's passport.
    """
    from mmdet2tflite.report.inspection import inspect, print_inspection, print_json

    (print_json if as_json else print_inspection)(inspect(model))


@app.command()
def detect(
    model: Annotated[Path, typer.Argument(help="TFLite file.", metavar="MODEL.tflite")],
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures with boxes.")],
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Lowest score of a detection.")
    ] = 0.3,
    threads: Annotated[int, typer.Option(min=1, help="For LiteRT.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run a detector on images: boxes drawn into copies of them, and a line for each.

    A line ends with x1 y1 x2 y2; of an oriented box, with its four corners, clockwise, and the
    angle by which it is turned clockwise, in degrees.

    The file must have been made by `run`: its passport says all that is needed.
    """
    from mmdet2tflite.errors import ModelError
    from mmdet2tflite.processes.memory import bound, growing_at_most
    from mmdet2tflite.report.detection import detect_images, print_detections, print_json
    from mmdet2tflite.runtime import Detector

    with growing_at_most(bound(), error=ModelError):
        detector = Detector(model, threads=threads, score_threshold=threshold)
        (print_json if as_json else print_detections)(detect_images(detector, images, out))


@app.command()
def val(
    model: Annotated[Path, typer.Argument(help="TFLite or ONNX file with a passport.")],
    data: Annotated[
        Path,
        typer.Option(help="Experiment (YAML), or a folder of images with annotations."),
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write everything to this file.")
    ] = None,
) -> None:
    """Measure a detector that is there already: accuracy, latency, mistakes.

    On the validation split of an experiment, or on a folder in COCO, VOC, YOLO or DOTA's format;
    latency on one thread.
    """
    from mmdet2tflite.cli.val import validate_and_print

    validate_and_print(model, data, overrides or (), out)


app.command()(convert)
app.command()(plan)
app.command()(doctor)
cli_models.add_commands(app)
