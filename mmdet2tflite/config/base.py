"""The base class and the types of which every part of an experiment is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Size = tuple[int, int]
Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class NotInKey:
    """Marks a setting that decides how a stage is run and not what comes out; ``why`` is for you.

    Paths need no mark: a key has digests of files, and never says where they are.
    """

    why: str


class ConfigSection(BaseModel):
    """A frozen part of an experiment that rejects unknown keys, and settings without effect."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def without_effect(self) -> Mapping[str, str]:
        """Settings that nothing looks at as long as others are what they are, and why not."""
        return {}

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        for name, why in self.without_effect().items():
            if name in self.model_fields_set:
                raise ValueError(f"{name} has no effect: {why}")
        return self

    @model_serializer(mode="wrap")
    def _with_effect(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without them, so that what was written is read again, and nobody is misled."""
        useless = self.without_effect()
        return {name: value for name, value in dump(self).items() if name not in useless}
