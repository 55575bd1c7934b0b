"""Child process: an int8 file is tuned, written, and compared with what was tuned.

Leaves the file, ``loss.json`` with the loss of every iteration, and ``layers.json`` anew.
"""

import json
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from mmdet2tflite.artifacts import TfliteModel
from mmdet2tflite.convert.tflite_file import read_passport, write_passport
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.quantize.estimate import LossEstimate
from mmdet2tflite.quantize.layer_groups import find_layers
from mmdet2tflite.quantize.layer_mix import Mix
from mmdet2tflite.quantize.layer_table import LAYERS
from mmdet2tflite.quantize.quantise_file import describe_layers
from mmdet2tflite.quantize.quantize_model import Quantised
from mmdet2tflite.quantize.quantize_worker import REFERENCE, compare
from mmdet2tflite.quantize.tuning.loop import Schedule
from mmdet2tflite.quantize.tuning.tune_file import check_same, tune
from mmdet2tflite.quantize.tuning.tune_request import TuneRequest
from mmdet2tflite.runtime.runners import sample_of
from mmdet2tflite.tflite.flatbuffer import parse_model, read_model, serialise, write_model
from mmdet2tflite.tflite.rotation import remove_io_rotations

LOSSES = "loss.json"
KEPT_IMAGES = 128
"""In memory, as the network wants them: 2 MB each at 416 x 416."""
TOOLS = ("torch", "ai-edge-litert")


def tune_int8(request: TuneRequest) -> TfliteModel:
    """Write the tuned file; what it gained and its errors are its metrics.

    Raises:
        ModelError: the file has an operator that cannot be trained through.
        ParityError: the file does not compute what was tuned, or nothing but noise.
    """
    source, teacher = request.model, read_model(request.teacher)
    losses: list[float] = []

    @lru_cache(KEPT_IMAGES)
    def load(number: int) -> NDArray[np.float32]:
        return np.ascontiguousarray(sample_of(source, request.images[number])[0])

    def on_iteration(done: int, loss: float) -> None:
        losses.append(loss)
        total = request.tuning.iterations
        progress(completed=done, total=total, description="tune", loss=round(loss, 4))

    model, images = read_model(request.file), len(request.images)
    head = source.head if source.head.family else None
    scaled = request.file.with_name(REFERENCE)
    reference = read_model(scaled) if scaled.exists() else teacher
    tuned = tune(model, reference, teacher, images, load, head, schedule_of(request), on_iteration)
    samples = [sample_of(source, image) for image in request.check]
    metrics = check_same(tuned.network, model, samples)
    passport = read_passport(request.file)
    ancestors = passport.ancestors | {"untuned": source.digest}
    tools = passport.tools | {tool: version(tool) for tool in TOOLS}
    write_passport(model, replace(passport, tools=tools, ancestors=ancestors))
    write_model(model, request.target)
    request.target.with_name(LOSSES).write_text(json.dumps(losses), "utf-8")
    table = describe_layers(request.target, as_quantised(request, model, reference), samples)
    request.target.with_name(LAYERS).write_text(json.dumps(table, indent=1), "utf-8")
    result = source.model_copy(update={"stage": "", "key": "", "digest": "", "metrics": {}})
    float32 = source.model_copy(update={"precision": "float32"})
    metrics |= {
        "tuning.images": float(images),
        "tuning.loss_before": tuned.learnt.before,
        "tuning.loss_after": tuned.learnt.after,
    }
    metrics |= budget_metrics(request, float32)
    compared = compare((float32, request.teacher), (result, request.target), request.check)
    return result.model_copy(update={"metrics": metrics | compared})


def as_quantised(request: TuneRequest, model: schema.ModelT, reference: schema.ModelT) -> Quantised:
    """The tuned model as what it was quantised from, with what was found out then."""
    network = parse_model(serialise(reference), "the float32 file")
    remove_io_rotations(network)
    table = json.loads(request.file.with_name(LAYERS).read_text("utf-8"))["layers"]
    shares = {layer["layer"]: layer["share"] for layer in table if layer["share"] is not None}
    real = frozenset(layer["layer"] for layer in table if layer["float32"])
    return Quantised(model, reference, find_layers(network), Mix(shares, real, 0.0, 0.0))


def budget_metrics(request: TuneRequest, float32: TfliteModel) -> dict[str, float]:
    """With a budget: what the quantiser found, and the loss that is left after tuning."""
    if request.accuracy_budget is None:
        return {}
    found = ("layers.", "budget.loss_in_integers")
    kept = {name: v for name, v in request.model.metrics.items() if name.startswith(found)}
    loss = LossEstimate(float32, request.teacher, request.judges)(request.target)
    return kept | {"budget.loss": loss, "budget.allowed": request.accuracy_budget}


def schedule_of(request: TuneRequest) -> Schedule:
    """What the experiment says of the loop."""
    tuning = request.tuning
    return Schedule(
        iterations=tuning.iterations,
        batch_size=tuning.batch_size,
        weight_rate=tuning.weight_rate,
        scale_rate=tuning.scale_rate,
        seed=request.seed,
    )


if __name__ == "__main__":
    answer(tune_int8, TuneRequest)
