"""timm, which is not among this project's packages, in a folder of its own.

Only the child that exports sees it: there it stands beside the environment's torch.
"""

import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path

REQUIREMENT = "timm==1.0.31"
"""Its other needs (huggingface_hub, safetensors) are of weights, which nobody downloads here."""


def install_timm() -> Path:
    """The folder, filled if it is not. Raises CalledProcessError: it cannot be installed."""
    folder = user_cache_path("mmdet2tflite") / f"zoo-{REQUIREMENT.replace('==', '-')}"
    stamp = folder / ".installed"
    if not stamp.exists():
        words = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        words += ["--python", sys.executable, REQUIREMENT]
        subprocess.run([sys.executable, "-m", *words], check=True)
        stamp.touch()
    return folder
