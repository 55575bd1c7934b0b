"""Child process: openvino2tensorflow, which is a script without a module. Its own arguments."""

import runpy
from importlib.metadata import files

NAME = "openvino2tensorflow"


def main() -> None:
    """Run the script that the distribution installed."""
    (script,) = (file for file in files(NAME) or () if file.name == NAME)
    runpy.run_path(str(script.locate()), run_name="__main__")


if __name__ == "__main__":
    main()
