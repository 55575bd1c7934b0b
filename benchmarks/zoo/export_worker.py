"""Child process: one network of the zoo as an ONNX file; prints its number of nodes at the end.

Arguments: the network's name and the file to write.
"""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path

from benchmarks.zoo.catalogue import CATALOGUE
from benchmarks.zoo.specimen import Specimen
from mmdet2tflite.tflite.census import onnx_ops

OPSET = 17


def main() -> None:
    """Export, and only then give the file its name."""
    name, target = sys.argv[1], Path(sys.argv[2])
    specimen = next(each for each in CATALOGUE if each.name == name)
    part = target.with_suffix(".part")
    maker = import_module(f"benchmarks.zoo.make_{specimen.group}")
    if specimen.group == "small":
        maker.write(specimen, part)
    else:
        export(maker.make, specimen, part)
    part.replace(target)
    print("\n" + json.dumps({"nodes": sum(onnx_ops(target).values())}))


def export(make, specimen: Specimen, file: Path) -> None:  # type: ignore[no-untyped-def]
    """By torch's TorchScript exporter, which most of the world's files come from."""
    import torch

    from benchmarks.zoo.weights import Flat, randomise, seed, set_statistics

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)  # one operator that has no ONNX
    seed(specimen.name)
    model = Flat(make(specimen)).eval()
    randomise(model)
    shape = (1, 3, *specimen.size)
    set_statistics(model, shape)
    with torch.no_grad():
        torch.onnx.export(
            model,
            (torch.randn(shape),),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
        )


if __name__ == "__main__":
    main()
