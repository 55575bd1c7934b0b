"""Which failures may pass, so that Prefect tries the stage again, later each time.

1. A tool that was killed: the kernel was out of memory, and may have more by then.
2. A store that answered before and does not any more. One that never did is a mistake in the
   settings or in the network, and the user wants to know it at once.

Nothing else: the same tool fails on the same input again, and so does a comparison.
"""

import threading

from mmdet2tflite.errors import StoreError, ToolKilled

SECONDS_TO_WAIT = (10.0, 30.0, 90.0)
"""Before the second, third … attempt."""
UNREACHABLE = {
    "builtins.ConnectionError",
    "builtins.TimeoutError",
    "botocore.exceptions.ConnectionError",
    "botocore.exceptions.HTTPClientError",
    "aiohttp.client_exceptions.ClientConnectionError",
    "aiohttp.client_exceptions.ClientPayloadError",
}
"""What stores raise when a server is not there, or goes away; by name, for few runs import them."""
store_answered = threading.Event()
"""Set when the store of this process's run has answered once."""


def may_pass(error: BaseException) -> bool:
    """Whether another attempt may end otherwise."""
    if isinstance(error, ToolKilled):
        return True
    return isinstance(error, StoreError) and store_answered.is_set() and _is_unreachable(error)


def _is_unreachable(error: BaseException | None) -> bool:
    """By its kind, or that of what it was raised from."""
    if error is None:
        return False
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return bool(kinds & UNREACHABLE) or _is_unreachable(error.__cause__)
