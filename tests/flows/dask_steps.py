"""``python -m tests.flows.dask_steps RUNNER STORE WORD …``: a flow whose stages behave as named.

Prints a line of JSON for each word: what became of it.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from prefect import flow

from flows.running.task_runners import side_by_side
from mmdet2tflite.artifacts import Dataset, Split
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import ModelError, UserError
from mmdet2tflite.processes.exit_status import run_and_report
from mmdet2tflite.processes.interruption import interruptible
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.stage import Job, Stage
from tasks.caching import Call, stage_task

SECONDS_TO_MEET = 60.0
SPLIT = Split(annotations="", image_root="", images=0, boxes=0, images_digest="")


def behave(job: Job, word: str) -> Dataset:
    folder = Path(job.store.root)
    first_time = not (folder / word).exists()
    (folder / word).touch()
    if word.startswith("meet"):
        deadline = time.monotonic() + SECONDS_TO_MEET
        while len(list(folder.glob("meet-?"))) < 2:
            assert time.monotonic() < deadline, "the other one did not come"
            time.sleep(0.05)
    elif word == "refuse":
        raise ModelError("it cannot be done", "something else", "do that")
    elif word == "die" or (word == "die-once" and first_time):
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "hang":
        run_python("endless", "tests.flows.endless", [str(folder)], log=job.work / "tool.log")
    metrics = {"process": os.getpid()}
    return Dataset(classes=(word,), train=SPLIT, val=SPLIT, metrics=metrics)


STAGE = Stage("dataset", behave)


@stage_task
def word_to_artefact(experiment: Experiment, word: str) -> Call[Dataset]:
    return Call(STAGE, word, 600, label=word, side_by_side=True)


@flow(name="steps")
def steps(experiment: Experiment, words: list[str]) -> None:
    with side_by_side(experiment), interruptible():
        futures = {word: word_to_artefact.submit(experiment, word) for word in words}
        for future in futures.values():
            future.wait()
    print(json.dumps({"word": "flow", "process": os.getpid()}))
    for word, future in futures.items():
        try:
            print(json.dumps({"word": word, "process": future.result().metrics["process"]}))
        except UserError as error:
            print(json.dumps({"word": word, "error": type(error).__name__, "text": str(error)}))


def main() -> int:
    runner, store, *words = sys.argv[1:]
    values = {"name": "steps", "dataset": {"kind": "digits"}, "store": store}
    experiment = Experiment.model_validate({**values, "runner": json.loads(runner)})
    return run_and_report(lambda: steps(experiment, words))


if __name__ == "__main__":
    sys.exit(main())
