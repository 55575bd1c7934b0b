"""What a run knows of one model when it comes to comparing."""

from typing import Annotated

from pydantic import Field

from mmdet2tflite.artifacts import (
    Checkpoint,
    Frozen,
    KerasModel,
    OnnxModel,
    OpenvinoModel,
    Report,
    RewrittenModel,
    TfliteModel,
    variant_name,
)

Measurable = Checkpoint | OnnxModel | OpenvinoModel | TfliteModel | KerasModel
"""What a report can be about."""


TFLITE = "tflite"
"""The format that goes without saying in a variant's name."""


class Outcome(Frozen):
    """What became of one model of a run: measured, or failed for a reason.

    ``variant`` is its name in every table, ``tags`` say what it is made by: strategy, converter,
    precision, exact, format. ``rewritten`` is the graph that a file was made of. ``failure`` is the
    reason's full text; without one there are a model and its report.
    """

    variant: str
    tags: dict[str, str]
    model: Annotated[Measurable, Field(discriminator="kind")] | None = None
    report: Report | None = None
    rewritten: RewrittenModel | None = None
    failure: str = ""

    @classmethod
    def measured(
        cls,
        model: Measurable,
        report: Report,
        rewritten: RewrittenModel | None = None,
    ) -> "Outcome":
        """A model with its report."""
        tags = {"precision": "float32"}
        if isinstance(model, TfliteModel | KerasModel):
            file_format = model.format if isinstance(model, KerasModel) else ""
            tags = _tags(
                model.strategy, model.converter, model.precision, file_format, exact=model.exact
            )
        return cls(
            variant=report.variant, tags=tags, model=model, report=report, rewritten=rewritten
        )

    @classmethod
    def failed(
        cls,
        error: Exception,
        strategy: str,
        converter: str,
        precision: str,
        rewritten: RewrittenModel | None = None,
        file_format: str = "",
    ) -> "Outcome":
        """A variant that was asked for and could not be made or measured; by default TFLite."""
        exact = rewritten is None or rewritten.exact
        return cls(
            variant=variant_name(strategy, converter, precision, file_format, exact=exact),
            tags=_tags(strategy, converter, precision, file_format, exact=exact),
            rewritten=rewritten,
            failure=str(error),
        )


def _tags(
    strategy: str, converter: str, precision: str, file_format: str, *, exact: bool
) -> dict[str, str]:
    names = {"strategy": strategy, "converter": converter, "precision": precision}
    return {**names, "exact": str(exact).lower(), "format": file_format or TFLITE}
