"""What is known of a file that Dask made, once it was waited for."""

from uuid import uuid4

import distributed
import pytest
from prefect.states import Completed
from prefect_dask.task_runners import PrefectDaskFuture

from flows.running.dask_runner import _Future
from mmdet2tflite.errors import ServiceError


class Answering:
    """A future of Dask's, of a cluster that is gone after the first question."""

    def __init__(self, answer: object) -> None:
        self._answers = [answer]

    def result(self, timeout: float | None = None) -> object:
        if not self._answers:
            raise RuntimeError("IOLoop is closed")
        answer = self._answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer


def lost() -> Answering:
    return Answering(distributed.client.FutureCancelledError("key", "lost connection"))


def test_a_result_is_kept_where_prefect_keeps_it():
    future = _Future(wrapped_future=Answering(Completed(data=7)), task_run_id=uuid4())
    future.wait()
    assert future.state.is_completed()
    assert future.result() == 7


@pytest.mark.parametrize("waited_for_first", [True, False])
def test_why_there_is_none_is_kept_too(waited_for_first):
    future = _Future(wrapped_future=lost(), task_run_id=uuid4())
    if waited_for_first:
        future.wait()
    for _ in range(2):
        with pytest.raises(ServiceError, match=r"the Dask cluster is gone: .*lost connection"):
            future.result()


def test_prefects_own_future_forgets_why():
    future = PrefectDaskFuture(wrapped_future=lost(), task_run_id=uuid4())
    future.wait()
    with pytest.raises(RuntimeError, match="IOLoop is closed"):
        future.result()
