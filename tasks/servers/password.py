"""The password of a user's servers: made at the first start, kept where only that user reads it.

It has Prefect's form, ``user:password``. Whoever has set Prefect's own PREFECT_API_AUTH_STRING or
PREFECT_SERVER_API_AUTH_STRING (a variable, or a profile's setting) has chosen one: no file is made.
"""

import os
import re
import secrets
import shlex
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from mmdet2tflite.errors import ConfigError, ServiceError
from mmdet2tflite.processes.lock import exclusive

CLIENT, SERVER = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
USER = "mmdet2tflite"
FILE, LOCK, SHELL = "mmdet2tflite-password", "mmdet2tflite-password.lock", "mmdet2tflite.sh"
FORM = re.compile(r"[!-9;-~]+:[!-~]+")
"""What HTTP's headers, a line of a file and Prefect's comparison can all hold."""
LONGEST = 1000
SECONDS_TO_ANSWER = 10


@dataclass(frozen=True)
class Password:
    """``value`` is ``user:password``; ``file`` is where it is kept, None if the user chose it."""

    value: str = field(repr=False)
    file: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a server asks for it, and Prefect's clients give it."""
        return {SERVER: self.value, CLIENT: self.value}

    @property
    def place(self) -> str:
        """Where a person finds what a browser asks for."""
        return f"user:password in {self.file}" if self.file else f"that of {SERVER} or {CLIENT}"


def home() -> Path:
    """Prefect's folder, with its database; it is made."""
    from prefect.settings import get_current_settings

    folder = Path(get_current_settings().home)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def chosen_password() -> str | None:
    """What the user's own settings of Prefect say.

    Raises:
        ConfigError: there are two different ones, or it has not the form that both servers need.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    both = {SERVER: settings.server.api.auth_string, CLIENT: settings.api.auth_string}
    given = {name: each.get_secret_value() for name, each in both.items() if each}
    if not given:
        return None
    if len(set(given.values())) > 1:
        raise ConfigError(
            f"{SERVER} and {CLIENT} differ",
            "one password, which the server asks for and its clients give",
            f"set {CLIENT} alone, or neither",
        )
    name, password = given.popitem()
    return _checked(password, name)


def kept_password() -> str:
    """What this user's file holds; the first call makes it.

    Raises:
        ConfigError: the file is a link, another user's, readable by others, or not what was made.
    """
    folder = home()
    path = folder / FILE
    if not os.path.lexists(path):
        with exclusive(folder / LOCK):
            if not os.path.lexists(path):
                write_private(path, f"{_new()}\n")
    return _checked(_read_private(path), str(path))


def service_password() -> Password:
    """Of servers that stay: the user's own, or the one that is kept. Raises ConfigError."""
    chosen = chosen_password()
    return Password(chosen) if chosen else Password(kept_password(), home() / FILE)


def run_password() -> Password:
    """Of a server that ends with its run: the user's own, or one that nobody else ever knows."""
    return Password(chosen_password() or _new())


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, all at once; a link in its place is replaced."""
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def write_shell_file(prefect: str, password: Password, mlflow: bool = True) -> Path:
    """What a shell needs to give commands to `make serve`. It names the password's file alone.

    Args:
        mlflow: MLflow's server is one of ours, and has the same password.
    """
    lines = [
        "# `make serve` writes this: the address of its Prefect, and the password of its servers.",
        f"export PREFECT_API_URL={shlex.quote(prefect)}",
    ]
    if password.file:
        lines += [
            f"{CLIENT}=$(cat {shlex.quote(str(password.file))})",
            f"export {CLIENT}",
        ]
    if password.file and mlflow:
        lines += [
            f'export MLFLOW_TRACKING_USERNAME="${{{CLIENT}%%:*}}"',
            f'export MLFLOW_TRACKING_PASSWORD="${{{CLIENT}#*:}}"',
        ]
    path = home() / SHELL
    write_private(path, "\n".join([*lines, ""]))
    return path


def check_prefect_password(url: str) -> None:
    """Ask a server of Prefect, which answers, for something that it keeps from strangers.

    Raises:
        ServiceError: it wants a password, or another one.
        httpx.HTTPError: it does not answer any more.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    given = settings.api.auth_string
    user, _, password = (given.get_secret_value() if given else "").partition(":")
    answer = httpx.get(
        f"{url}/admin/version",
        auth=(user, password) if given else None,
        timeout=SECONDS_TO_ANSWER,
    )
    if answer.status_code == httpx.codes.UNAUTHORIZED and not settings.api.key:
        raise ServiceError(
            f"Prefect's server at {url} wants {'another' if given else 'a'} password",
            f"its password in {CLIENT}",
            f"`source {home() / SHELL}` for that of `make serve` (docs/operations.md)",
        )


def _new() -> str:
    return f"{USER}:{secrets.token_urlsafe(32)}"


def _read_private(path: Path) -> str:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        link = path.is_symlink()
        raise _unsafe(path, "is a link" if link else f"cannot be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _unsafe(path, "is no file")
        if found.st_uid != os.geteuid():
            raise _unsafe(path, "belongs to another user")
        if found.st_mode & 0o077:
            raise _unsafe(path, f"can be read by others (mode {stat.S_IMODE(found.st_mode):03o})")
        return os.read(descriptor, LONGEST).decode("ascii", errors="replace").strip()
    finally:
        os.close(descriptor)


def _checked(password: str, place: str) -> str:
    if not FORM.fullmatch(password):
        raise ConfigError(
            f"{place} holds no password of the form user:password",
            "printable ASCII without spaces, with a colon after the user",
            "correct it, or remove it: `make serve` makes one",
        )
    return password


def _unsafe(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"{path} {what}",
        "a file of yours with mode 600: it holds the password of your servers",
        "remove it: the next start makes a new one",
    )
