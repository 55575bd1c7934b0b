"""Child process: ONNX → canonical ONNX → one padding strategy, checked on real images.

Argument: a JSON file with ``onnx``, ``padding``, ``preprocessing``, ``images``, ``tolerance``,
``work``, ``result``.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from mmdet2tflite.artifacts import Preprocessing, RewrittenModel
from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.model_file import load_model, save_model
from mmdet2tflite.graph.plan import describe_rewriting
from mmdet2tflite.graph.rewriting import Rewriting, true_pads
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.graph.verify import RewrittenRunner, open_reference
from mmdet2tflite.parity.check import check_parity, run_on_images

MODEL, PLAN = (RewrittenModel.model_fields[name].default for name in ("file", "plan"))
THREADS = 2


def main() -> None:
    """Write the graph, the plan, and the fields of the RewrittenModel as result."""
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    work, padding = Path(spec["work"]), cast(PaddingName, spec["padding"])
    model = load_model(Path(spec["onnx"]))
    changes = canonicalise(model)
    rewriting = STRATEGIES[padding].rewrite(model)
    strategy = rewriting.chosen or padding
    save_model(rewriting.model, work / MODEL)
    plan = describe_rewriting(strategy, rewriting, changes)
    (work / PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
    result = {
        "strategy": strategy,
        "exact": STRATEGIES[strategy].exact,
        "upright": not STRATEGIES[strategy].rotated_file,
        "pads": rewriting.pads,
        "rotation": asdict(rewriting.rotation),
        "flags": true_pads(rewriting) if STRATEGIES[strategy].flagged else {},
        "metrics": compare(spec, strategy, rewriting),
    }
    Path(spec["result"]).write_text(json.dumps(result), encoding="utf-8")


def compare(spec: dict[str, Any], strategy: PaddingName, rewriting: Rewriting) -> dict[str, float]:
    """Errors against the original, and what the rewriting costs. Raises ParityError."""
    costs = {"extra_multiplications": float(rewriting.extra_multiplications)}
    if not STRATEGIES[strategy].exact_in_onnx:
        return costs
    images = [Path(image) for image in spec["images"]]
    preprocessing = Preprocessing.model_validate(spec["preprocessing"])
    errors = check_parity(
        run_on_images(open_reference(Path(spec["onnx"]), THREADS), images, preprocessing),
        run_on_images(RewrittenRunner(rewriting.model, rewriting.rotation), images, preprocessing),
        spec["tolerance"],
        f"the graph rewritten by {strategy} against the original",
    )
    return {**costs, **errors}


if __name__ == "__main__":
    main()
