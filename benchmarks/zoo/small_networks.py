"""The table of small networks, which the tests' own generators grow."""

from benchmarks.zoo.specimen import Specimen
from tests.cases.kinds import KINDS

USUAL = ("classifier", "face_detector", "mobile_classifier", "yolox")
"""Of ``tests/toolchain/usual_networks.py``."""
OPSETS = (9, 11, 13, 17, 20)
RANDOM = tuple(f"random_opset{opset}_{number}" for opset in OPSETS for number in range(4))
"""Of ``tests/graph/networks.py``: ten random layers and two heads."""
CASES = tuple(name for name, kind in KINDS.items() if not kind.options and not kind.says)
"""Of ``tests/cases``: what strangers' files have in common. Left out are those that need to be told
something, which plain onnx2tf is told in other words, and those that are rightly refused."""

SMALL = (
    *(Specimen("small", name, name.split("_opset")[0]) for name in (*USUAL, *RANDOM)),
    *(Specimen("small", name, f"cases.{name.split('.')[0]}") for name in CASES),
)
