"""``python -m benchmarks.zoo``: networks of the world, by plain onnx2tf and by us (docs/zoo.md).

Goes on where it was interrupted. Ends with status 1 if a file of ours is wrong, or a traceback is.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks.pages import write_between
from benchmarks.zoo.catalogue import CATALOGUE, choose
from benchmarks.zoo.children import end_all
from benchmarks.zoo.conversion import TIMEOUT, Place, measure
from benchmarks.zoo.latency import time_files
from benchmarks.zoo.record import TOOLS, Record, Tool, load_record
from benchmarks.zoo.specimen import Specimen
from benchmarks.zoo.table import describe, line, markdown
from benchmarks.zoo.timm_packages import install_timm
from mmdet2tflite.config.project import project_root
from mmdet2tflite.processes.exit_status import INTERRUPTED


def main() -> int:
    """Do what the arguments choose."""
    arguments = _parser().parse_args()
    try:
        specimens = choose(arguments.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(specimen.name for specimen in specimens))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):  # which `nohup … &` lets be ignored
        signal.signal(number, signal.default_int_handler)
    try:
        return _run(specimens, arguments)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="PATTERN", help="networks by name: 'timm-*'")
    add("--folder", type=Path, default=project_root() / "zoo", help="of all files, by default zoo/")
    add("--jobs", type=int, default=2, help="networks side by side, by default 2")
    add("--timeout", type=float, default=TIMEOUT, help="seconds of a conversion, by default 600")
    add("--again", nargs="+", choices=TOOLS, default=[], help="convert anew by these tools")
    add("--no-latency", action="store_true", help="time nothing")
    add("--list", action="store_true", help="only show the networks' names")
    add("--write", type=Path, metavar="PAGE.md", help="put the table between a page's markers")
    return parser


def _run(specimens: Sequence[Specimen], arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder.absolute()
    timm = any(specimen.group == "timm" for specimen in specimens)
    packages = install_timm() if timm else folder
    place = Place(folder, packages, arguments.timeout)
    _convert_all(specimens, place, tuple(arguments.again), arguments.jobs)
    if not arguments.no_latency:
        _time_all(specimens, place)
    # The page is of all that is known, however little of it was measured now.
    known = [load_record(each, place.folder(each)) for each in CATALOGUE]
    records = [record for record in known if record.exported is not None]
    command = shlex.join(["python", "-m", "benchmarks.zoo", *sys.argv[1:]])
    values = describe(records, command)
    print(values.summary)
    if arguments.write:
        write_between(arguments.write, "zoo", markdown(values))
    chosen = {specimen.name for specimen in specimens}
    return int(any(_bad(record) for record in records if record.name in chosen))


def _bad(record: Record) -> bool:
    return "ours" in record.made and record.made["ours"].outcome in ("wrong", "traceback")


def _convert_all(
    specimens: Sequence[Specimen], place: Place, again: tuple[Tool, ...], jobs: int
) -> None:
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = [pool.submit(measure, specimen, place, again) for specimen in specimens]
        for number, future in enumerate(as_completed(futures), 1):
            print(f"[{number}/{len(futures)}] {line(future.result())}", flush=True)
    except BaseException:
        end_all()  # what the threads wait for
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _time_all(specimens: Sequence[Specimen], place: Place) -> None:
    for specimen in specimens:
        folder = place.folder(specimen)
        record = load_record(specimen, folder)
        if record.both_right and record.ratio is None:
            time_files(record, folder)
            record.save(folder)
            print(f"{record.name}: {record.ratio:.2f} x plain", flush=True)


if __name__ == "__main__":
    sys.exit(main())
