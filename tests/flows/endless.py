"""A tool that never ends, and started another one."""

import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        Path(sys.argv[1], "pids").write_text(f"{os.getpid()} {other.pid}")
        time.sleep(600)
