"""The base class and the types of which every part of an experiment is made."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Size = tuple[int, int]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class ConfigSection(BaseModel):
    """A frozen part of an experiment that rejects unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
