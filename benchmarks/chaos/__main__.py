"""``python -m benchmarks.chaos``: disturbs runs of a tiny experiment, and counts what survived.

Ends with status 1 if anything was lost or stuck, or left a traceback or a process.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.chaos.cases import KILLS, all_cases, choose
from benchmarks.chaos.place import Reference, load_reference, undisturbed
from benchmarks.chaos.processes import end_all
from benchmarks.chaos.table import HEADINGS, describe, line, markdown, rows, save
from benchmarks.chaos.trial import Case, try_case
from benchmarks.chaos.verdict import Result
from benchmarks.pages import write_between

WIDTH = 110
REFERENCE, BROKEN = "undisturbed", "the harness failed"


def main() -> int:
    """Try what the arguments choose."""
    arguments = _parser().parse_args()
    try:
        cases = choose(all_cases(), arguments.only, arguments.kills)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(f"{case.name:32} {case.group}" for case in cases))
        return 0
    let_runs_hear_signals()
    started = time.monotonic()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="mmdet2tflite-chaos-"))
    session = f"{os.getpid()}-{time.time_ns()}"
    try:
        results = _try_all(cases, arguments, work.absolute(), session)
    finally:
        end_all(session, prefix=True)
    values = describe(results, _command(), arguments.seed, time.monotonic() - started)
    _print(results)
    save(values, arguments.json or work / "chaos.json")
    if arguments.write:
        write_between(arguments.write, "chaos", markdown(values))
    print(f"places of what did not survive, and chaos.json: {work}")
    broken = any(result.not_tried.startswith(BROKEN) for result in results)
    return int(broken or any(result.findings for result in results))


def let_runs_hear_signals() -> None:
    """What is ignored is inherited, and `nohup … &` lets two signals be ignored; a handler is not.

    SIGTERM ends the harness as Ctrl-C does: with all that it started.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, (lambda *_: None) if ignored else signal.default_int_handler)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="NAME", help="cases by name or pattern")
    add("--kills", type=int, default=KILLS, metavar="N", help=f"signals sent, by default {KILLS}")
    add("--seed", type=int, default=0, help="of the moments at which they are sent")
    add("--jobs", type=int, default=2, help="cases side by side, by default 2")
    add("--bound", type=float, default=15.0, help="seconds in which a run that fails must end")
    add("--list", action="store_true", help="only show the cases' names")
    add(
        "--work", type=Path, help="folder for all of it; an undisturbed run in it is taken as it is"
    )
    add("--json", type=Path, help="where the results go, by default chaos.json in that folder")
    add("--write", type=Path, metavar="PAGE.md", help="put the table between a page's markers")
    return parser


def _command() -> str:
    return shlex.join(["python", "-m", "benchmarks.chaos", *sys.argv[1:]])


def _try_all(
    cases: Sequence[Case], arguments: argparse.Namespace, work: Path, session: str
) -> list[Result]:
    reference = _reference(work / REFERENCE, f"{session}/{REFERENCE}")
    print(f"undisturbed, and all cached in {reference.cached_seconds:.0f} s", flush=True)
    pool = ThreadPoolExecutor(arguments.jobs)
    try:
        tried = {
            pool.submit(
                try_case, case, reference, work, session, arguments.seed, arguments.bound
            ): case
            for case in cases
        }
        found = {}
        for future in as_completed(tried):
            case = tried[future]
            found[case.name] = _result(case, future)
            print(line(found[case.name]), flush=True)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all(session, prefix=True)  # what the threads wait for
        raise
    pool.shutdown()
    return [found[case.name] for case in cases]


def _result(case: Case, future: Future[Result]) -> Result:
    """What a case found. A mistake of the harness leaves the other cases alone, and is not well."""
    try:
        return future.result()
    except Exception as error:
        traceback.print_exception(error)
        return Result(case.name, case.group, not_tried=f"{BROKEN}: {error!r}")


def _reference(folder: Path, mark: str) -> Reference:
    if folder.exists():
        return load_reference(folder, mark)
    return undisturbed(folder, mark)


def _print(results: Sequence[Result]) -> None:
    table = Table()
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows(results):
        table.add_row(*row)
    Console(width=max(WIDTH, Console().width)).print(table)


if __name__ == "__main__":
    sys.exit(main())
