"""Child process: ONNX → canonical ONNX → one padding strategy, checked on real images."""

import json

from mmdet2tflite.artifacts import RewrittenModel
from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.graph.canonical import canonicalise
from mmdet2tflite.graph.model_file import load_model, save_model
from mmdet2tflite.graph.plan import describe_rewriting
from mmdet2tflite.graph.rewrite_request import RewriteRequest
from mmdet2tflite.graph.rewriting import Rewriting, true_pads
from mmdet2tflite.graph.strategies.table import STRATEGIES
from mmdet2tflite.graph.verify import RewrittenRunner, open_reference
from mmdet2tflite.parity.check import check_parity, run_on_images
from mmdet2tflite.processes.messages import answer

MODEL, PLAN = (RewrittenModel.model_fields[name].default for name in ("file", "plan"))
THREADS = 2


def rewrite(request: RewriteRequest) -> RewrittenModel:
    """Write the graph and the plan."""
    model = load_model(request.onnx)
    changes = canonicalise(model)
    rewriting = STRATEGIES[request.padding].rewrite(model)
    strategy = rewriting.chosen or request.padding
    save_model(rewriting.model, request.work / MODEL)
    plan = describe_rewriting(strategy, rewriting, changes)
    (request.work / PLAN).write_text(json.dumps(plan, indent=1), encoding="utf-8")
    return RewrittenModel(
        head=request.model.head,
        preprocessing=request.model.preprocessing,
        outputs=request.model.outputs,
        strategy=strategy,
        exact=STRATEGIES[strategy].exact,
        upright=not STRATEGIES[strategy].rotated_file,
        pads=rewriting.pads,
        rotation=rewriting.rotation,
        flags=true_pads(rewriting) if STRATEGIES[strategy].flagged else {},
        metrics=compare(request, strategy, rewriting),
    )


def compare(
    request: RewriteRequest, strategy: PaddingName, rewriting: Rewriting
) -> dict[str, float]:
    """Errors against the original, and what the rewriting costs. Raises ParityError."""
    costs = {"extra_multiplications": float(rewriting.extra_multiplications)}
    if not STRATEGIES[strategy].exact_in_onnx:
        return costs
    images, preprocessing = request.images, request.model.preprocessing
    errors = check_parity(
        run_on_images(open_reference(request.onnx, THREADS), images, preprocessing),
        run_on_images(RewrittenRunner(rewriting.model, rewriting.rotation), images, preprocessing),
        request.tolerance,
        f"the graph rewritten by {strategy} against the original",
    )
    return {**costs, **errors}


if __name__ == "__main__":
    answer(rewrite, RewriteRequest)
