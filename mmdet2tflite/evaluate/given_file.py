"""A file from anywhere as the model that an evaluation measures: what is known of it, by itself.

1. A TFLite file has its passport in the metadata.
2. An ONNX file has none. That of a stage lies beside its ``manifest.json``, which says the same,
   and by which digest it is that file.
"""

from pathlib import Path

from pydantic import ValidationError

from mmdet2tflite.artifacts import OnnxModel, TfliteModel
from mmdet2tflite.convert.tflite_file import read_passport
from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.files.regular_file import open_regular, read_user_file
from mmdet2tflite.passport import HowToRun, TfliteOutput
from mmdet2tflite.runtime.detector import detector_parts
from mmdet2tflite.runtime.passport import load_passport
from mmdet2tflite.store.manifest import MANIFEST, parse_manifest

MOST_MANIFEST = 10_000_000
"""Bytes; that of a run has some ten thousand."""


def read_given(path: Path) -> TfliteModel | OnnxModel:
    """A detector as its passport describes it; the file is ``path.name`` in its folder.

    Raises:
        ModelError: it is neither, is missing or broken, has no passport, or is no detector.
    """
    if path.suffix == ".tflite":
        return _tflite(path)
    if path.suffix == ".onnx":
        return _onnx(path)
    raise ModelError(
        f"{path} is neither a .tflite nor an .onnx file", "a detector that mmdet2tflite made"
    )


def _tflite(path: Path) -> TfliteModel:
    head, preprocessing = detector_parts(load_passport(path), path)
    try:
        passport = read_passport(path)
    except ValidationError as error:
        raise ModelError(
            f"the passport of {path} cannot be understood: {error.errors()[0]['msg']}",
            "what mmdet2tflite writes",
            "convert the model again",
        ) from None
    return TfliteModel(
        file=path.name,
        head=head,
        preprocessing=preprocessing,
        outputs=passport.outputs,
        rotation=passport.rotation,
        strategy=passport.strategy,
        exact=passport.exact,
        converter=passport.converter,
        precision=passport.precision,
    )


def _onnx(path: Path) -> OnnxModel:
    """Rule 2."""
    open_regular(path, limit=None, error=ModelError).close()  # or it would be the manifest's fault
    beside = path.with_name(MANIFEST)
    try:
        manifest = parse_manifest(read_user_file(beside, MOST_MANIFEST))
        if manifest["value"]["kind"] != "onnx":
            raise ValueError(f"it describes a {manifest['value']['kind']} artefact")
        if manifest["files"].get(path.name, {}).get("sha256") != file_sha256(path):
            raise ValueError("it is about another file")
        model = OnnxModel.model_validate({**manifest["value"], "file": path.name})
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(
            f"{path} has no passport: {beside}: {why}",
            f"an ONNX file as the export left it in the store, artifacts/onnx/…, its {MANIFEST} "
            "beside it: an ONNX file by itself does not say what its outputs mean",
            "name that file, or a .tflite file that was made of it",
        ) from None
    outputs = tuple(TfliteOutput(o.name, o.shape, "onnx") for o in model.outputs)
    how = HowToRun(
        head=model.head, preprocessing=model.preprocessing, outputs=outputs, strategy="none"
    )
    detector_parts(how, path)
    return model
