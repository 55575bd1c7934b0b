"""The experiment: every setting and every default of the pipeline, frozen, from one YAML file.

Each stage receives only its own section, so a change of one section leaves the others cached.
Relative paths are relative to the project root, the folder that holds ``flows/``. The data sets
stand in dataset.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, override

from pydantic import Field, model_validator

from mmdet2tflite.config.base import ConfigSection, Fraction, NotInKey, Positive, Size
from mmdet2tflite.config.dataset import DatasetConfig
from mmdet2tflite.config.names import ConverterName, FormatName, PaddingName, PrecisionName

STRIDE_OF_COARSEST_MAP = 32


class DetectorConfig(ConfigSection):
    """Which network, at which input size."""

    config: Path = Path("configs/detectors/yolox_nano.py")
    """An mmdet config file."""
    input_size: Size = (320, 192)
    """Width and height of the network's input in pixels, multiples of 32."""
    padding: Literal["torch", "tf"] = "torch"
    """``tf``: convolutions pad as TensorFlow's SAME does, so that the file needs no PAD. A network
    must be trained so, from scratch or from ordinary weights (docs/training.md)."""
    activation: Literal["config", "silu", "relu", "relu6", "hardswish"] = "config"
    """Activation of backbone, neck and head; ``config`` keeps that of the mmdet config."""

    @model_validator(mode="after")
    def _fits_the_coarsest_map(self) -> "DetectorConfig":
        wrong = [side for side in self.input_size if side <= 0 or side % STRIDE_OF_COARSEST_MAP]
        if wrong:
            width, height = (max(32, round(side / 32) * 32) for side in self.input_size)
            raise ValueError(
                f"input_size {list(self.input_size)}: both sides must be positive multiples of 32 "
                f"(the up-sampled maps do not fit otherwise); the nearest is [{width}, {height}]"
            )
        return self


class Augmentation(ConfigSection):
    """What training does to an image. Mosaic doubles the canvas; the affine brings it back."""

    mosaic: bool = True
    plain_epochs: Annotated[int, Field(ge=0)] = 15
    """The last epochs run without mosaic, on whole images."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 10.0
    """Largest rotation in degrees. Upright boxes grow with it, hence at most 10 for them."""
    translate: Fraction = 0.1
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.5, 1.5)
    shear: Annotated[float, Field(ge=0, le=10)] = 2.0
    hsv: bool = True
    flip: Fraction = 0.5
    """Probability of a horizontal flip."""
    smallest_box: Annotated[float, Field(ge=0)] = 1.0
    """Boxes with a shorter side than this many pixels after augmentation are dropped."""

    @override
    def without_effect(self) -> Mapping[str, str]:
        """See ``ConfigSection``."""
        if self.mosaic:
            return {}
        return {"plain_epochs": "without mosaic, all epochs run on whole images; leave it out"}


class Tuning(ConfigSection):
    """How an int8 file is tuned towards its float32 file (docs/quantisation.md)."""

    iterations: Positive = 1000
    batch_size: Positive = 4
    images: Positive = 2000
    """At most so many training images, a seeded sample; one of eight, at least eight, judge."""
    weight_rate: Annotated[float, Field(gt=0)] = 0.01
    """First learning rate of weights and biases, in steps of their integers."""
    scale_rate: Annotated[float, Field(gt=0)] = 0.004
    """First learning rate of scales, as a fraction of each."""


class Training(ConfigSection):
    """How the weights come about. ``epochs: 0`` takes ``checkpoint`` as it is."""

    epochs: Annotated[int, Field(ge=0)] = 300
    batch_size: Positive = 16
    """Images of an iteration, in all processes together."""
    optimizer: Literal["adamw", "sgd", "config"] = "adamw"
    """``config`` keeps the optimizer and schedule of the mmdet config."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup_iterations: Annotated[int, Field(ge=0)] = 50
    ema_momentum: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    val_interval: Positive = 10
    patience: Positive | None = None
    """End after so many validations in a row without a better mAP."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """End after the epoch in which so much time is over (docs/training.md)."""
    save_interval: Annotated[Positive, NotInKey("only a run that is interrupted sees it")] = 1
    """A run that was interrupted goes on from the last multiple of this many epochs."""
    augmentation: Augmentation | Literal["config"] = Augmentation()
    """``config`` keeps the training pipeline of the mmdet config."""
    checkpoint: Path | None = None
    """Weights to start from: ``.pth``, or a YOLOX network as ``.onnx`` (docs/training.md)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Annotated[int, Field(ge=0)] | None = None
    """Processes that load images, for each one that trains. By default half the cores less one,
    shared out: on two cores they would take from the training more than they give
    (docs/decisions/0005)."""
    processes: Positive = 1
    """Processes that train, on each machine: one for each GPU (docs/training.md)."""
    machines: Positive = 1
    rendezvous: Annotated[str | None, Field(exclude=True, pattern=r"^[^:\s]+:[0-9]+$")] = None
    """``HOST:PORT`` of the first of several machines; not in the cache key."""
    seed: int = 0
    quantised: Annotated[bool, NotInKey("the float network is trained all the same")] = False
    """Tune the files of the precisions int8 and int8_io after they were quantised, with their own
    integers in the forward pass (docs/quantisation.md)."""
    tuning: Annotated[Tuning, NotInKey("as quantised")] = Tuning()

    @override
    def without_effect(self) -> Mapping[str, str]:
        """See ``ConfigSection``."""
        useless: dict[str, str] = {}
        if not self.quantised:
            useless["tuning"] = "quantised is false: no file is tuned"
        if self.optimizer == "config":
            why = (
                "optimizer: config keeps optimizer and schedule of the mmdet config; set it there, "
                "or choose another optimizer"
            )
            useless |= dict.fromkeys(("learning_rate", "weight_decay", "warmup_iterations"), why)
        if self.augmentation == "config":
            useless["ema_momentum"] = (
                "augmentation: config keeps the hooks of the mmdet config; set it there"
            )
        if self.machines == 1:
            useless["rendezvous"] = "machines is 1, which meets nobody; set machines, too"
        return useless

    @model_validator(mode="after")
    def _weights_come_from_somewhere(self) -> "Training":
        if self.epochs == 0 and self.checkpoint is None:
            raise ValueError("epochs is 0 and no checkpoint is given: there would be no weights")
        return self

    @property
    def ranks(self) -> int:
        """Processes that train, on all machines."""
        return self.processes * self.machines

    @model_validator(mode="after")
    def _images_can_be_shared_out(self) -> "Training":
        if self.batch_size % self.ranks:
            nearest = max(1, round(self.batch_size / self.ranks)) * self.ranks
            raise ValueError(
                f"batch_size {self.batch_size} cannot be shared out among {self.ranks} processes; "
                f"the nearest that can is {nearest}"
            )
        return self


class Export(ConfigSection):
    """Checkpoint → ONNX, cut before the post-processing."""

    deploy_config: Path | None = None
    """An mmdeploy config file with the cut (``partition_config``); by default the network is cut
    behind its head (docs/detectors.md)."""
    opset: Annotated[int, Field(ge=11, le=17)] = 13
    tolerance: Annotated[float, Field(gt=0)] = 1e-4
    """Largest error against PyTorch, relative to the tensor's range."""


class Variants(ConfigSection):
    """Which files are made of one ONNX model: one per combination."""

    padding: tuple[PaddingName, ...] = ("auto",)
    """Strategies of docs/padding.md; ``auto`` takes the cheapest exact one."""
    converters: tuple[ConverterName, ...] = ("onnx2tf",)
    precisions: tuple[PrecisionName, ...] = ("float32",)
    """Precisions of docs/quantisation.md, each made of the float32 file."""
    formats: tuple[FormatName, ...] = ()
    """Files of docs/formats.md, made of each strategy's graph besides the TFLite files."""
    calibration_images: Positive = 300
    """Training images (a seeded sample, or all if there are fewer) that the ranges of integer
    activations are taken from."""
    accuracy_budget: Annotated[float, Field(gt=0)] | None = None
    """Points of mAP that ``int8`` may lose against float32, estimated without labels on calibration
    images; the fewest layers stay in float32 that keep it. By default none do."""
    openvino: bool = False
    """Measure the ONNX in OpenVINO too."""
    tolerance: Annotated[float, Field(gt=0)] = 1e-4
    """Largest error against the ONNX, relative to the tensor's range, of a rewritten graph, of a
    float32 file of any format, and of OpenVINO."""


class Latency(ConfigSection):
    """How long one inference takes, without pre- and post-processing, nothing else running."""

    warmup: Positive = 10
    runs: Positive = 50
    threads: tuple[int, ...] = (1, 0)
    """Thread counts to measure; 0 stands for all cores."""


class Evaluation(ConfigSection):
    """What is measured of every model."""

    images: Positive | None = None
    """Only the first so many validation images; by default all."""
    parity_images: Positive = 8
    resamples: Positive = 1000
    """Draws of the images, for the interval of what a precision loses against float32."""
    latency: Latency = Latency()


class Promotion(ConfigSection):
    """When a retrained model takes the champion's place (docs/operations.md)."""

    strategy: PaddingName | None = None
    """Strategy of the file that competes, as the comparison names it; by default any exact one."""
    converter: ConverterName | None = None
    precision: PrecisionName | None = None
    """Of the files that fit, the fastest competes that keeps its network's accuracy."""
    margin: Annotated[float, Field(ge=0)] = 0.005
    """The mAP may be worse than the champion's by this much."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """One-sided, of a paired bootstrap over the validation images."""
    resamples: Positive = 1000
    seed: int = 0
    latency_ratio: Annotated[float, Field(gt=0)] = 1.2
    """The champion's latency may be exceeded by this factor; it is measured again for that."""
    size_ratio: Annotated[float, Field(gt=0)] = 1.2
    parity_loss: Annotated[float, Field(ge=0)] = 0.01
    """The file's mAP may be this much below that of the network that it was made of."""


class Timeouts(ConfigSection):
    """Seconds after which a tool is taken for hung and stopped."""

    dataset: Positive = 3600
    training_silence: Positive = 1800
    """Training may last as long as it likes, but not be silent for longer than this."""
    export: Positive = 900
    rewrite: Positive = 600
    convert: Positive = 900
    quantize: Positive = 1800
    tune: Positive = 7200
    evaluate: Positive = 3600


class Threads(ConfigSection):
    """Files are made in this process, as many at a time as there are cores."""

    kind: Literal["threads"] = "threads"


class Dask(ConfigSection):
    """Files are made in worker processes of Dask, here or on other machines (docs/scale.md)."""

    kind: Literal["dask"]
    workers: Positive | None = None
    """Worker processes to start on this machine; by default as many as there are cores."""
    address: Annotated[str, Field(pattern=r"^(tcp|tls)://.+:\d+$")] | None = None
    """Scheduler of a cluster that runs already, ``tcp://host:8786``."""

    @model_validator(mode="after")
    def _starts_workers_or_finds_them(self) -> "Dask":
        if self.workers and self.address:
            raise ValueError(
                "workers is for a cluster that this run starts, address for one that runs already: "
                "only one of them can be set"
            )
        return self


Runner = Annotated[Threads | Dask, Field(discriminator="kind")]


class Experiment(ConfigSection):
    """A complete description of a run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    """Also of folders, of MLflow's experiment and model, and in the keys of Prefect's artefacts."""
    dataset: DatasetConfig
    detector: DetectorConfig = DetectorConfig()
    training: Training = Training()
    export: Export = Export()
    variants: Variants = Variants()
    evaluation: Evaluation = Evaluation()
    promotion: Promotion = Promotion()
    timeouts: Timeouts = Timeouts()
    runner: Runner = Threads()
    """Where files are made; no part of what comes out."""
    store: str = "artifacts"
    """Folder or fsspec URL of the artefact store."""
    tracking: Path = Path("mlruns")
    """Folder of MLflow's database and files; MLFLOW_TRACKING_URI, where set, wins."""
