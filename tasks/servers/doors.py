"""Who may talk to a server of ours: its own pages and whoever has the password, nobody else.

A server on loopback is not out of reach: every page that a browser on this machine shows may send
requests there. Rules, for HTTP and WebSockets alike:

1. ``Host`` is a name of this server. Another one means that a foreign name was bound to this
   address ("DNS rebinding"), whose pages the browser would take for ours.
2. ``Origin``, which browsers send along with whatever could change something, is one of them, too.
   ``null`` is none. Another port of this machine is another origin.
3. Without ``Origin``, what the browser itself calls a request of another site's page
   (``Sec-Fetch-Site``) is a link that somebody followed, and neither a frame nor a picture in it.
4. The password, by HTTP basic authentication, where the server behind does not ask for it. Rule 2
   is needed besides: a browser that knows a password sends it for other sites' pages as well.
"""

import base64
import binascii
import hmac
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from mmdet2tflite.errors import ServiceError

HOST = "127.0.0.1"
HOSTS = "MMDET2TFLITE_ALLOWED_HOSTS"
"""Further names under which servers are reached: ``prefect.example,localhost:14200``."""
OPEN = ("/health",)
"""Says that the server is there, and nothing else."""

type _Scope = MutableMapping[str, Any]
type _Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type _Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type _App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def hosts(port: int) -> frozenset[str]:
    """Names of a server at a port of this machine, as ``Host`` and ``Origin`` have them."""
    more = os.environ.get(HOSTS, "").lower().replace(",", " ").split()
    return frozenset([f"{HOST}:{port}", f"localhost:{port}", *more])


def origins(names: Iterable[str]) -> str:
    """The same as a list for Prefect's setting of CORS."""
    return ",".join(f"{scheme}://{name}" for name in sorted(names) for scheme in ("http", "https"))


def listen(port: int, name: str, option: str, host: str = HOST) -> socket.socket:
    """An open socket. Raises ServiceError if another program has the port."""
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise ServiceError(
            f"port {port} for {name} cannot be used: {error}",
            "a free port",
            f"stop what uses it, or choose another one with {option} (README, “As a service”)",
        ) from None


class Door:
    """Stands before a server's ASGI application and lets through what the rules allow.

    Args:
        names: what ``hosts`` gives.
        password: ``user:password`` for rule 4.
    """

    def __init__(self, app: _App, names: frozenset[str], password: str | None = None) -> None:
        self._app, self._names = app, names
        self._password = None if password is None else password.encode()

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif reason := self._foreign(scope):
            await _refuse(scope, send, 403, reason)
        elif not self._knows_password(scope):
            await _refuse(scope, send, 401, "this server wants a user and a password")
        else:
            await self._app(scope, receive, send)

    def _foreign(self, scope: _Scope) -> str:
        """Rules 1 to 3: why this is none of this server's business; empty if it is."""
        given = {name: _values(scope, name) for name in (b"host", b"origin", b"sec-fetch-site")}
        if len(given[b"host"]) != 1 or given[b"host"][0] not in self._names:
            return f"this server has another name than this Host; {HOSTS} may add it"
        if given[b"origin"]:
            if any(not self._is_own(origin) for origin in given[b"origin"]):
                return "this is a request of another server's page"
        elif set(given[b"sec-fetch-site"]) - {"same-origin", "none"} and not _is_link(scope):
            return "this is part of another server's page"
        return ""

    def _is_own(self, origin: str) -> bool:
        scheme, _, name = origin.partition("://")
        return scheme in ("http", "https") and name in self._names

    def _knows_password(self, scope: _Scope) -> bool:
        if self._password is None or (scope["type"] == "http" and scope["path"] in OPEN):
            return True
        return any(
            hmac.compare_digest(_basic(value), self._password)
            for name, value in scope["headers"]
            if name == b"authorization"
        )


def _values(scope: _Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for name, value in scope["headers"] if name == wanted]


def _is_link(scope: _Scope) -> bool:
    """Followed to a page of its own, which the other one cannot look into."""
    mode, shown = _values(scope, b"sec-fetch-mode"), _values(scope, b"sec-fetch-dest")
    return (scope.get("method"), mode, shown) == ("GET", ["navigate"], ["document"])


def _basic(header: bytes) -> bytes:
    """``user:password`` of an Authorization header; empty if there is none in it."""
    scheme, _, value = header.partition(b" ")
    try:
        return base64.b64decode(value, validate=True) if scheme.lower() == b"basic" else b""
    except binascii.Error:
        return b""


async def _refuse(scope: _Scope, send: _Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":  # before it was accepted: the client gets a 403
        await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="mmdet2tflite", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
