"""Children of a stand-alone conversion that do their imports while the parent reads the model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from mmdet2tflite.config.names import ConverterChoice
from mmdet2tflite.convert.converters.table import CONVERTERS
from mmdet2tflite.processes.toolchain import WarmPython

RUN_WORKER = "mmdet2tflite.convert.run_worker"


@dataclass(frozen=True)
class WarmTools:
    """The converter's child and that of LiteRT; None: started when it is needed."""

    converter: WarmPython | None
    litert: WarmPython | None


NOT_WARM = WarmTools(None, None)


@contextmanager
def warm_tools(choice: ConverterChoice) -> Iterator[WarmTools]:
    """Start both; whichever was not used is gone afterwards."""
    warm = CONVERTERS[next(iter(CONVERTERS)) if choice == "auto" else choice].warm
    with ExitStack() as stack:
        converter = stack.enter_context(warm()) if warm else None
        yield WarmTools(converter, stack.enter_context(WarmPython(RUN_WORKER)))
