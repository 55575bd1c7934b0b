"""A small network is tuned: what changes in the file, what stays, and that it computes the same."""

import copy
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.errors import ParityError
from mmdet2tflite.quantize import calibrate
from mmdet2tflite.quantize.layer_mix import Budget
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_model import quantise_model
from mmdet2tflite.quantize.tuning.loop import Schedule
from mmdet2tflite.quantize.tuning.network import TfliteNetwork
from mmdet2tflite.quantize.tuning.sharing import own_biases
from mmdet2tflite.quantize.tuning.ties import NEAREST, avoid_ties, nearest_half
from mmdet2tflite.quantize.tuning.tune_file import (
    Tuned,
    check_same,
    judges_among,
    real_weights,
    tune,
)
from mmdet2tflite.quantize.tuning.writing import write_learnt
from mmdet2tflite.tflite.flatbuffer import constant, copy_tensor, parse_model, serialise
from tests.tflite.tflite_writer import Writer

SIZE, CHANNELS, IMAGES = (12, 16), 8, 16
SCHEDULE = Schedule(iterations=100, batch_size=4, weight_rate=0.02, scale_rate=0.01, seed=0)
WEIGHTS, REAL = ("k1", "k2", "k3"), [False, True, False]
"""By weight: whether ``with_a_real_layer`` leaves it in float32."""
OFF_CENTRE = 20.0
"""Two channels of the first convolution are so much larger than the others."""


@pytest.fixture(autouse=True)
def unlike_channels(monkeypatch):
    """They stay as they are, so that something is left to learn."""
    monkeypatch.setattr(calibrate, "equalise_channels", lambda *arguments: [])


def float_network() -> schema.ModelT:
    """image → conv 3x3, SiLU → depthwise 3x3 at stride 2 → conv 1x1 ``second``."""
    rng = np.random.default_rng(0)
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    spread = np.where(np.arange(CHANNELS) < 2, OFF_CENTRE, 1.0)[:, None, None, None]
    first = writer.conv(
        image,
        writer.constant("k1", (spread * rng.normal(size=(CHANNELS, 3, 3, 3)) / 99).astype("f4")),
        writer.constant("b1", rng.normal(size=CHANNELS).astype(np.float32)),
        writer.tensor("first", (1, *SIZE, CHANNELS)),
        same=True,
    )
    gate = writer.operator("LOGISTIC", [first], writer.tensor("gate", (1, *SIZE, CHANNELS)))
    silu = writer.tensor("silu", (1, *SIZE, CHANNELS))
    writer.operator("MUL", [first, gate], silu, schema.MulOptionsT())
    half = (SIZE[0] // 2, SIZE[1] // 2)
    inverse = (1 / np.where(np.arange(CHANNELS) < 2, OFF_CENTRE, 1.0)).astype(np.float32)
    deep = writer.conv(
        silu,
        writer.constant("k2", (inverse * rng.normal(size=(1, 3, 3, CHANNELS))).astype("f4")),
        writer.constant("b2", np.zeros(CHANNELS, np.float32)),
        writer.tensor("deep", (1, *half, CHANNELS)),
        strides=(2, 2),
        same=True,
        depthwise=True,
    )
    second = writer.conv(
        deep,
        writer.constant("k3", rng.normal(size=(4, 1, 1, CHANNELS)).astype(np.float32)),
        writer.constant("b3", rng.normal(size=4).astype(np.float32)),
        writer.tensor("second", (1, *half, 4)),
    )
    return writer.finish({"picture": image}, {"second": second})


def load(number: int) -> np.ndarray:
    """Blots of colour: neighbouring pixels resemble each other, as those of a photograph do."""
    blots = np.random.default_rng(number).uniform(0, 255, (3, 4, 3)).astype(np.float32)
    return cv2.resize(blots, SIZE[::-1])


def int8_of(
    model: schema.ModelT, precision: str = "int8", budget: Budget | None = None
) -> schema.ModelT:
    samples = [load(number)[None] for number in range(IMAGES)]
    return quantise_model(model, PRECISIONS[precision], samples, budget).model


def with_a_real_layer() -> schema.ModelT:
    """A file that keeps its budget with the layer in the middle in float32, and not without."""

    def is_real(model: schema.ModelT) -> list[bool]:
        kinds = {tensor.name.decode(): tensor.type for tensor in model.subgraphs[0].tensors}
        return [kinds[name] == schema.TensorType.FLOAT32 for name in WEIGHTS]

    budget = Budget(0.5, lambda candidate: 0.0 if is_real(candidate)[1] else 1.0)
    model = int8_of(float_network(), budget=budget)
    assert is_real(model) == REAL
    return model


def tuned(model: schema.ModelT, schedule: Schedule = SCHEDULE) -> Tuned:
    float_model = float_network()
    return tune(model, float_model, float_model, IMAGES, load, None, schedule)


def unseen() -> list[np.ndarray]:
    return [load(number)[None] for number in range(IMAGES, IMAGES + 4)]


@pytest.mark.parametrize("precision", ["int8", "int8_io"])
def test_a_tuned_file_is_nearer_to_its_teacher_and_computes_what_was_tuned(precision):
    model = int8_of(float_network(), precision)
    result = tuned(model)
    assert result.learnt.after < 0.7 * result.learnt.before
    assert check_same(result.network, model, unseen())["tuning.steps_apart"] <= 1


def test_layers_in_float32_stay_as_they_are_and_the_others_are_tuned():
    before, after = with_a_real_layer(), with_a_real_layer()
    result = tuned(after)
    assert len(result.network.rounded()) == 1
    assert result.learnt.after < result.learnt.before
    assert check_same(result.network, after, unseen())["tuning.steps_apart"] <= 1
    names = [tensor.name.decode() for tensor in after.subgraphs[0].tensors]
    moved = [not np.array_equal(*(named(m, name) for m in (before, after))) for name in WEIGHTS]
    assert moved == [not real for real in REAL]
    assert set(WEIGHTS) < set(names)


def test_an_error_in_front_of_a_layer_in_float32_is_found():
    model = with_a_real_layer()
    network = TfliteNetwork(model)
    with torch.no_grad():
        next(iter(network.biases.values())).add_(20)  # steps, of the first convolution
    with pytest.raises(ParityError, match="steps apart"):
        check_same(network, model, unseen())


def test_nothing_but_weights_biases_and_scales_is_changed():
    before, after = int8_of(float_network()), int8_of(float_network())
    tuned(after)
    changed = set()
    for old, new in zip(before.subgraphs[0].tensors, after.subgraphs[0].tensors, strict=True):
        assert (old.name, old.type, list(old.shape)) == (new.name, new.type, list(new.shape))
        if old.quantization is not None and old.quantization.scale is not None:
            assert list(old.quantization.zeroPoint) == list(new.quantization.zeroPoint)
        if not np.array_equal(constant(before, old), constant(after, new)):
            changed.add(old.name.decode())
    assert changed == {"k1", "k2", "k3", "b1", "b2", "b3"}
    names = [[o.inputs, o.outputs] for o in after.subgraphs[0].operators]
    assert str(names) == str([[o.inputs, o.outputs] for o in before.subgraphs[0].operators])


def named(model: schema.ModelT, name: str) -> np.ndarray:
    (tensor,) = [t for t in model.subgraphs[0].tensors if t.name.decode() == name]
    return constant(model, tensor)


def scale_of(model: schema.ModelT, name: str) -> np.ndarray:
    (tensor,) = [t for t in model.subgraphs[0].tensors if t.name.decode() == name]
    return np.asarray(tensor.quantization.scale)


def test_a_bias_says_the_scale_of_its_products():
    model = int8_of(float_network())
    tuned(model)
    expected = scale_of(model, "silu") * scale_of(model, "k2")
    np.testing.assert_array_equal(scale_of(model, "b2"), expected)


def test_the_scales_of_logistic_and_of_the_picture_stay():
    before, after = int8_of(float_network()), int8_of(float_network())
    tuned(after)
    assert scale_of(after, "gate") == np.float32(1 / 256)
    assert scale_of(after, "silu") != scale_of(before, "silu")
    quantised = [
        t.name.decode() for t in after.subgraphs[0].tensors if t.name == b"image_quantized"
    ]
    for name in quantised:
        assert scale_of(after, name) == scale_of(before, name)


def test_the_same_seed_gives_the_same_file_and_another_seed_another_one():
    short = replace(SCHEDULE, iterations=30)
    files = []
    for seed in (1, 1, 2):
        model = int8_of(float_network())
        tuned(model, replace(short, seed=seed))
        files.append(serialise(model))
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_a_tuning_that_makes_it_worse_gives_back_what_it_was_given():
    model = int8_of(float_network())
    before = serialise(model)
    wild = Schedule(iterations=3, batch_size=4, weight_rate=99.0, scale_rate=3.0, seed=0)
    result = tuned(model, wild)
    assert result.learnt.after == result.learnt.before
    samples = unseen()
    assert check_same(result.network, parse_model(before, "before"), samples) == {
        "tuning.steps_apart": 0,
        "tuning.differing": 0,
    }


def test_a_file_that_is_not_what_was_tuned_is_refused():
    network = TfliteNetwork(int8_of(float_network()))
    other = int8_of(float_network())
    (bias,) = [t for t in other.subgraphs[0].tensors if t.name == b"b3"]
    counts = constant(other, bias) * 2
    other.buffers[bias.buffer].data = np.frombuffer(counts.tobytes(), np.uint8)
    with pytest.raises(ParityError, match="steps apart"):
        check_same(network, other, unseen())


@pytest.mark.parametrize(
    ("images", "judges"), [(2, 1), (3, 1), (10, 5), (16, 8), (64, 8), (100, 12), (2000, 32)]
)
def test_some_images_are_held_back_to_judge_by(images, judges):
    assert judges_among(images) == judges


def test_a_table_that_hangs_on_the_last_bit_is_moved_away_from_it():
    """The scale at which the sigmoid of 10 steps is 200.5 of 256 steps, to the last bit."""
    model = int8_of(float_network())
    (first,) = [t for t in model.subgraphs[0].tensors if t.name == b"first"]
    first.quantization.scale = np.array([np.log(200.5 / 55.5) / 10], np.float32)
    network = TfliteNetwork(model)
    (gate,) = [step for step in network.steps if step.name == "LOGISTIC"]
    assert nearest_half(network, gate) < 1e-5
    before = float(network.scale(gate.inputs[0]))
    avoid_ties(network)
    assert nearest_half(network, gate) > NEAREST
    assert float(network.scale(gate.inputs[0])) == pytest.approx(before, rel=1e-4)


def test_operators_that_share_a_bias_learn_one_each():
    model = int8_of(float_network())
    network_before = parse_model(serialise(model), "before")
    graph = model.subgraphs[0]
    last = copy.deepcopy(graph.operators[-2])  # the 1x1 convolution, before DEQUANTIZE
    result = copy_tensor(graph, int(last.outputs[0]), "_twin", (1, SIZE[0] // 2, SIZE[1] // 2, 4))
    last.outputs = [result]
    graph.operators.append(last)
    graph.outputs = [*graph.outputs, result]
    graph_inputs = [int(o.inputs[2]) for o in graph.operators if len(o.inputs) == 3]
    assert len(set(graph_inputs)) == len(graph_inputs) - 1
    own_biases(model)
    network = TfliteNetwork(model)
    assert len(network.biases) == len(TfliteNetwork(network_before).biases) + 1
    with torch.no_grad():
        list(network.biases.values())[-1].add_(20)
    write_learnt(network, model)
    model.signatureDefs = []
    assert check_same(network, model, unseen())["tuning.steps_apart"] <= 1
    twin = graph.tensors[result].name.decode()
    found = network(torch.from_numpy(unseen()[0]))
    moved = (found[twin] - found["second"]) / network.output_step(twin)
    assert float(moved.median()) == pytest.approx(20, abs=1)


def test_learning_starts_at_the_real_weights_and_computes_with_the_rounded_ones():
    float_model, model = float_network(), int8_of(float_network())
    network = TfliteNetwork(model, real_weights(float_model))
    names = {t.name.decode(): i for i, t in enumerate(model.subgraphs[0].tensors)}
    with torch.no_grad():
        for name in ("k1", "k2", "k3"):
            steps = network.weights[str(names[name])].numpy()
            stored = constant(model, model.subgraphs[0].tensors[names[name]])
            np.testing.assert_array_equal(np.rint(steps), stored)
            assert not np.array_equal(steps, stored)


def test_weights_of_another_network_are_left_out():
    model = int8_of(float_network())
    others = {name: value[..., ::-1] for name, value in real_weights(float_network()).items()}
    network, plain = TfliteNetwork(model, others), TfliteNetwork(model)
    for name, weight in network.weights.items():
        assert torch.equal(weight, plain.weights[name])


def test_written_without_learning_the_file_stays_as_it_was():
    model = int8_of(float_network())
    before = parse_model(serialise(model), "before")
    write_learnt(TfliteNetwork(model), model)
    for old, new in zip(before.subgraphs[0].tensors, model.subgraphs[0].tensors, strict=True):
        np.testing.assert_array_equal(constant(before, old), constant(model, new))
        if old.quantization is not None and old.quantization.scale is not None:
            np.testing.assert_array_equal(old.quantization.scale, new.quantization.scale)
