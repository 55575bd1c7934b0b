"""The small trained network of the real-tool tests, and settings that keep them short."""

from pathlib import Path

from mmdet2tflite.config.experiment import DetectorConfig, Evaluation, Latency, Training
from mmdet2tflite.detector.train import TrainConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "yolox_nano_digits.pth"
SIZE = (256, 160)
TIMEOUT = 600.0
TOLERANCE = 1e-4
"""Of a tensor's range in one image: what the stages check."""
EVALUATION = Evaluation(parity_images=8, latency=Latency(warmup=1, runs=3))


def golden_config(**training: object) -> TrainConfig:
    settings = {"epochs": 0, "checkpoint": GOLDEN, **training}
    return TrainConfig(
        detector=DetectorConfig(input_size=SIZE), training=Training.model_validate(settings)
    )
