"""How the training child is started: alone, or as several ranks by PyTorch's torchrun.

Ranks are counted over all machines, those of the first machine first; rank 0 writes what the stage
returns. torchrun puts each rank into a session of its own, out of reach of the signals that stop a
child (toolchain.py): so every rank, too, is a ``mmdet2tflite.processes.child`` that dies with its
parent, and the parent of a rank is torchrun, which dies with the flow.
"""

import os
from pathlib import Path

from mmdet2tflite.artifacts import Checkpoint
from mmdet2tflite.config.experiment import Training
from mmdet2tflite.detector.train_request import TrainRequest
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.processes.messages import leave_request
from mmdet2tflite.processes.toolchain import OnProgress, run_python

WORKER = "mmdet2tflite.detector.train_worker"


def run_worker(
    request: TrainRequest,
    *,
    log: Path,
    silence: float,
    on_progress: OnProgress,
    node: int = 0,
) -> Checkpoint | None:
    """Run the training child, or this machine's ranks of it, to the end.

    Args:
        silence: seconds without a line or a message after which it is stopped.
        node: number of this machine; 0 is the one that ``training.rendezvous`` names.

    Returns:
        What rank 0 sent; None on another machine than its own.

    Raises:
        UserError: as ``toolchain.run_python``; several machines without a rendezvous.
    """
    training = request.training
    module, words = WORKER, [str(leave_request(request, log))]
    if training.ranks > 1 and training.epochs:
        words = [
            *_torchrun(training, node),
            "--module",
            "mmdet2tflite.processes.child",
            WORKER,
            *words,
        ]
        module = "torch.distributed.run"
    result = run_python(
        "mmdet",
        module,
        words,
        log=log,
        silence=silence,
        environment=_environment(training),
        on_progress=on_progress,
    )
    return result and Checkpoint.model_validate(result)


def _torchrun(training: Training, node: int) -> list[str]:
    words = ["--nproc-per-node", str(training.processes)]
    if training.machines == 1:
        # A free port. By its own name the machine may be unknown to the resolver.
        return [*words, "--standalone", "--local-addr", "localhost"]
    if training.rendezvous is None:
        raise ConfigError(
            f"training.machines is {training.machines}, and they have no place to meet",
            "an address of the first machine that the others reach, and a free port of it",
            "--set training.rendezvous=HOST:PORT",
        )
    host, port = training.rendezvous.split(":")
    # torchrun's elastic rendezvous (c10d) would choose itself which machine has rank 0.
    return [
        *words,
        *("--nnodes", str(training.machines), "--node-rank", str(node)),
        *("--rdzv-backend", "static", "--master-addr", host, "--master-port", port),
    ]


def _environment(training: Training) -> dict[str, str]:
    # mmdet calls torch.cuda.amp by a name of yesterday, several times per iteration.
    variables = {"PYTHONWARNINGS": "ignore::FutureWarning"}
    if training.device == "cpu":
        variables["CUDA_VISIBLE_DEVICES"] = ""
    if training.ranks > 1 and "OMP_NUM_THREADS" not in os.environ:
        threads = str(max(1, cores() // training.processes))
        variables |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)  # else 1
    return variables
