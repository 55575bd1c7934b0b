"""One graph through one converter, for a stage and for a stand-alone conversion alike."""

from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from mmdet2tflite.config.names import ConverterName
from mmdet2tflite.convert.converters.converter import ToolRun
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.convert.spelling import Spelling, spell
from mmdet2tflite.graph.model_file import save_model


def convert_graph(
    model: ir.Model, file: Path, converter: ConverterName, run: ToolRun
) -> tuple[Path, Spelling]:
    """Give a rewritten graph to a converter.

    Args:
        model: the graph, which stays as it is.
        file: the same graph; the converter gets another one where it must be spelled for it.
        run: its ``kept`` is found out here.

    Returns:
        The converted file, to be finished by ``finish_tflite``, and how the graph was spelled.

    Raises: what the converter raises.
    """
    spelled = model.clone()
    spelling = spell(spelled)
    if not spelling.changes_nothing:
        file = run.work.with_name(f"{run.work.name}_spelled") / file.name
        file.parent.mkdir(parents=True)
        save_model(spelled, file)
    return CONVERTERS[converter].convert(file, replace(run, kept=spelling.kept)), spelling
