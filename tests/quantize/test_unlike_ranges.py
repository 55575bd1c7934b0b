"""A network that ends in boxes and scores side by side: its scores outlive the quantiser."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantise_file import describe_layers
from mmdet2tflite.quantize.quantize_model import Quantised, quantise_model
from mmdet2tflite.quantize.unlike_ranges import ENOUGH_LEVELS, describe_unlike, find_unlike
from mmdet2tflite.tflite.flatbuffer import write_model
from tests.quantize.quantized_networks import INT8, run
from tests.tflite.tflite_writer import Writer

SIZE = (4, 6)
PLACES = SIZE[0] * SIZE[1]

# litert-quantizer keeps all tensors to look at them, which LiteRT thinks worth a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve")


def picture() -> np.ndarray:
    """-1 to 1, evenly: what is calibrated with it has exact ranges."""
    return np.linspace(-1, 1, PLACES * 3, dtype=np.float32).reshape(1, *SIZE, 3)


def network(largest: float, after: str = "RESHAPE") -> schema.ModelT:
    """image → conv ``boxes`` and conv → LOGISTIC ``scores`` → CONCATENATION ``both`` → ``found``.

    Boxes are the image times ``largest``, scores its sigmoid. ``after``: what comes last.
    """
    writer = Writer()
    image = writer.tensor("image", (1, *SIZE, 3))
    maps = []
    for name, factor in (("boxes", largest), ("logits", 4.0)):
        kernel = writer.constant(f"{name}/k", factor * np.eye(3, dtype=np.float32)[:, None, None])
        bias = writer.constant(f"{name}/b", np.zeros(3, np.float32))
        maps.append(writer.conv(image, kernel, bias, writer.tensor(name, (1, *SIZE, 3))))
    scores = writer.operator("LOGISTIC", [maps[1]], writer.tensor("scores", (1, *SIZE, 3)))
    both = writer.operator(
        "CONCATENATION",
        [maps[0], scores],
        writer.tensor("both", (1, *SIZE, 6)),
        schema.ConcatenationOptionsT(axis=3),
    )
    if after == "RESHAPE":
        shape = writer.constant("shape", np.int32([1, PLACES, 6]))
        options = schema.ReshapeOptionsT(newShape=[1, PLACES, 6])
        found = writer.tensor("found", (1, PLACES, 6))
        found = writer.operator("RESHAPE", [both, shape], found, options)
    else:
        kernel = writer.constant("last/k", np.eye(6, dtype=np.float32)[:, None, None])
        bias = writer.constant("last/b", np.zeros(6, np.float32))
        found = writer.conv(both, kernel, bias, writer.tensor("found", (1, *SIZE, 6)))
    return writer.finish({"image": image}, {"found": found})


def quantised(precision: str, model: schema.ModelT) -> Quantised:
    return quantise_model(model, PRECISIONS[precision], [picture()] * 3)


def scores_of(model: schema.ModelT) -> np.ndarray:
    return run(model, picture())["found"].reshape(PLACES, 6)[:, 3:]


def type_of(model: schema.ModelT, name: str) -> int:
    (found,) = [t for t in model.subgraphs[0].tensors if t.name == name.encode()]
    return found.type


def test_scores_beside_boxes_of_hundreds_keep_their_own_scale():
    result = quantised("int8", network(500))
    expected = scores_of(network(500))
    # A sigmoid has 256 levels of 1/256; the image's and the logits' add as much each.
    assert np.abs(scores_of(result.model) - expected).max() < 3 / 256
    assert len(np.unique(scores_of(result.model))) > 50
    assert [each.operator for each in result.unlike] == ["both"]


def test_with_one_scale_for_both_every_score_would_be_lost(monkeypatch):
    monkeypatch.setattr("mmdet2tflite.quantize.quantize_model.find_unlike", lambda *_: [])
    scores = scores_of(quantised("int8", network(500)).model)
    assert set(np.unique(scores)) == {0}  # a step is 1000 / 255 = 3.9


def test_all_that_is_computed_of_it_stays_real_and_nothing_before():
    result = quantised("int8", network(500))
    (unlike,) = result.unlike
    assert unlike.real == ("both", "found")
    assert type_of(result.model, "both") == type_of(result.model, "found") != INT8
    assert type_of(result.model, "boxes") == type_of(result.model, "scores") == INT8


def test_the_sentence_names_operators_and_the_poorest_input():
    result = quantised("int8", network(500))
    # The sigmoid of -4 to 4 reaches 0.982 of steps of 1000 / 255.
    assert result.unlike[0].levels == pytest.approx(0.982 / (1000 / 255), rel=0.01)
    assert describe_unlike(result.unlike) == (
        "2 operators at the end stay in float32, from both (CONCATENATION) on: with one scale for "
        "all that both joins, scores would keep 0 levels"
    )
    assert describe_unlike([]) == ""


def ranges(**ends: tuple[float, float]) -> dict[str, dict[str, np.ndarray]]:
    return {name: {"min": np.array([[a]]), "max": np.array([[b]])} for name, (a, b) in ends.items()}


@pytest.mark.parametrize(
    ("scores", "real"),
    [
        ((0, 1.01), False),
        ((0, 0.99), True),
        ((-0.51, 0.5), False),
        ((-0.4, 0.5), True),
        ((0.98, 0.99), True),  # it must hold 0
        ((0, 0), False),  # nothing to lose
    ],
)
def test_an_input_that_keeps_a_quarter_of_the_levels_is_like_enough(scores, real):
    # A range of 255 / 64 for all has steps of 1 / 64, and 64 of these are 1.
    found = find_unlike(
        network(1),
        ranges(boxes=(-1, 255 / ENOUGH_LEVELS - 1), scores=scores),
        PRECISIONS["int8"].recipe(),
    )
    assert bool(found) is real


def test_sixteen_bits_leave_a_score_enough_beside_hundreds_and_not_beside_ten_thousands():
    recipe = PRECISIONS["int16x8"].recipe()
    for largest, real in ((500, False), (520, True), (10_000, True)):
        # They are symmetric: of 0 … 1, 1 / (2 · 500 / 65535) = 65.5 levels are left.
        given = ranges(boxes=(-1, largest), scores=(0, 1))
        assert bool(find_unlike(network(largest), given, recipe)) is real


def test_what_convolutions_come_after_is_none_of_the_networks_end():
    assert quantised("int8", network(500, after="CONV_2D")).unlike == []


def test_integer_outputs_have_one_scale_whatever_is_done():
    result = quantised("int8_io", network(500))
    assert result.unlike == []
    assert type_of(result.model, "found") == INT8


def test_a_precision_without_ranges_leaves_everything_as_it_was():
    model = network(500)
    assert quantise_model(model, PRECISIONS["int8_weight"]).unlike == []


def test_layers_json_says_what_stays_real(tmp_path):
    target = tmp_path / "t.tflite"
    result = quantised("int8", network(500))
    write_model(result.model, target)
    table = describe_layers(target, result, [picture()])
    layers = {layer["layer"]: layer for layer in table["layers"]}
    assert layers["both"]["float32"]
    assert layers["both"]["share"] is None
