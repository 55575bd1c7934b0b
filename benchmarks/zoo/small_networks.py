"""The table of small kinds, which the tests' own generators grow."""

from benchmarks.zoo.specimen import Specimen

USUAL = ("classifier", "face_detector", "text_detector", "mobile_classifier", "yolox")
"""Of ``tests/toolchain/usual_networks.py``."""
OPSETS = (9, 11, 13, 17, 20)
RANDOM = tuple(f"random_opset{opset}_{number}" for opset in OPSETS for number in range(4))
"""Of ``tests/graph/networks.py``: ten random layers and two heads."""

SMALL = tuple(Specimen("small", name, name.split("_opset")[0]) for name in (*USUAL, *RANDOM))
