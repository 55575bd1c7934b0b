"""Where the project lies: the folder with the flows, the lock and the experiments."""

from pathlib import Path

from mmdet2tflite.errors import ConfigError

MAIN_FLOW = Path("flows", "detector_to_tflite.py")


def project_root(start: Path | None = None) -> Path:
    """The nearest folder that holds ``flows/detector_to_tflite.py``.

    Looked for from ``start`` (by default the current directory) upwards, then from this package
    upwards, which finds the clone that an editable installation points at.

    Raises:
        ConfigError: there is none; only the library is installed.
    """
    for folder in (start or Path.cwd(), Path(__file__).parent):
        absolute = folder.resolve()
        for candidate in (absolute, *absolute.parents):
            if (candidate / MAIN_FLOW).is_file():
                return candidate
    raise ConfigError(
        f"no {MAIN_FLOW} in {start or Path.cwd()} or in a folder above it",
        "a clone of the project: an installed package alone has no flows",
        "clone the repository and run the command inside it",
    )
