"""One row of a benchmark."""

from typing import Annotated

from pydantic import Field

from mmdet2tflite.artifacts import Frozen, Report
from mmdet2tflite.report.outcome import Measurable


class Entry(Frozen):
    """A model that was made and measured, or the reason why not.

    Args:
        name: in every table.
        command: what a user would type to make it.
        failure: the reason's full text; without one there are a model and its report.
    """

    name: str
    command: str
    model: Annotated[Measurable, Field(discriminator="kind")] | None = None
    report: Report | None = None
    failure: str = ""
