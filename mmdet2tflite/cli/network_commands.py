"""The commands on an ONNX file of one's own."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from mmdet2tflite.cli.command_line import AsJson
from mmdet2tflite.config.names import ConverterChoice, OutputLayout, PaddingName

Model = Annotated[Path, typer.Argument(help="ONNX file of any network.")]
Padding = Annotated[
    PaddingName, typer.Option(help="Strategy of docs/padding.md; auto: the cheapest exact one.")
]
Converter = Annotated[
    ConverterChoice, typer.Option(help="Who writes the file; auto: the first that gets it right.")
]
Layout = Annotated[
    OutputLayout, typer.Option(help="Axes of maps; auto: as the converter leaves them.")
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        metavar="float16|int8_dynamic|int8|…",
        help="A file of this precision, too; those of integers need --calibration.",
    ),
]
Calibration = Annotated[
    Path | None,
    typer.Option(help="Images (a folder) or inputs (.npy) to compare on; else seeded noise."),
]
Colours = Annotated[
    Literal["bgr", "rgb"] | None, typer.Option(help="Order of the input's channels.")
]
Tolerance = Annotated[
    float, typer.Option(min=0, help="Largest error, as a fraction of the output's range.")
]
InputSize = Annotated[
    tuple[int, int] | None,
    typer.Option(metavar="W H", help="Input size in pixels, where the model leaves it open."),
]
Batch = Annotated[int | None, typer.Option(min=1, help="First axis of every input.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=N,N…", help="Whole shape of an input, where it is left open."),
]
Cut = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="End the network at this value, in place of its outputs."),
]
Triple = tuple[float, float, float] | None


def convert(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    padding: Padding = "auto",
    converter: Converter = "auto",
    input_size: InputSize = None,
    batch: Batch = None,
    input_shape: InputShape = None,
    cut: Cut = None,
    output_layout: Layout = "auto",
    precision: Precisions = None,
    calibration: Calibration = None,
    colours: Colours = None,
    mean: Annotated[Triple, typer.Option(help="Subtracted from each pixel (0-255).")] = None,
    std: Annotated[Triple, typer.Option(help="Each pixel is divided by it then.")] = None,
    tolerance: Tolerance = 1e-4,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for each tool.")] = 900,
) -> None:
    """Convert an ONNX file to TensorFlow Lite and prove that it computes the same.

    Writes MODEL.tflite, passport.json, parity.json, plan.json and reproduce.sh.
    """
    from mmdet2tflite.standalone.request import (
        Normalisation,
        Request,
        parse_input_shapes,
        parse_precisions,
    )
    from mmdet2tflite.standalone.warm import warm_tools

    normalisation = Normalisation.from_options(colours, mean, std)
    request = Request(
        model=model,
        out=out,
        padding=padding,
        converter=converter,
        input_size=input_size,
        batch=batch,
        input_shapes=parse_input_shapes(input_shape or ()),
        cut=tuple(cut or ()),
        precisions=parse_precisions(precision or ()),
        output_layout=output_layout,
        calibration=calibration,
        normalisation=normalisation,
        tolerance=tolerance,
        timeout=timeout,
    )
    with warm_tools(converter) as warm:  # the tools do their imports while we do ours
        from mmdet2tflite.cli.convert import convert_and_print

        convert_and_print(request, warm)


def plan(
    model: Model,
    input_size: InputSize = None,
    batch: Batch = None,
    input_shape: InputShape = None,
    cut: Cut = None,
    every_window: Annotated[
        bool, typer.Option("--all", help="List every convolution and pooling.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show, convolution by convolution, what each padding strategy would do."""
    from mmdet2tflite.cli.plan_table import print_plan
    from mmdet2tflite.graph.canonical import canonicalise
    from mmdet2tflite.graph.model_file import load_model
    from mmdet2tflite.graph.plan import describe_plan, make_plan
    from mmdet2tflite.standalone.request import parse_input_shapes

    graph = load_model(model, input_size, batch, parse_input_shapes(input_shape or ()), cut or ())
    canonicalise(graph)
    found = describe_plan(make_plan(graph))
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        print_plan(found, every_window=every_window)
