"""Texts of strangers as they may be shown: without control characters, without passwords.

A class name, a file name or a server's answer may hold escape sequences that a terminal obeys,
characters that turn the reading direction, line breaks that forge a line of ours, or the password
of the address that was asked.
"""

import re
import unicodedata
from urllib.parse import unquote

HIDDEN = "***"

CONTROLS = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what is obeyed and not seen: escapes, directions, halves of characters,
line breaks."""
LONGEST = 200
"""Characters of a name in a message."""
JOINERS = "\u200c\u200d"
"""Persian words and many emoji are written with them."""

SECRET = (
    r"password|passwd|passphrase|pwd|secret|token|credential|signature|api[_-]?key|access[_-]?key"
)
"""Words in a name of what is secret. What is around them is bounded: no text takes long."""
WORD = re.compile(r"\S+")
HOST_AND_PORT = re.compile(r"(?:localhost|\[[^]]+\]|[^:@]*\.[^:@]*):\d{1,5}")
ASSIGNED = re.compile(
    rf"((?:{SECRET})[\w.-]{{0,40}}(?:=|%3d))('[^']*'|\"[^\"]*\"|(?:(?!%26)[^\s&])+)", re.IGNORECASE
)
"""``password=…`` in an address or a text."""
QUOTED_KEY = re.compile(
    rf"((['\"])[\w.-]{{0,40}}(?:{SECRET})[\w.-]{{0,40}}\2\s*:\s*)('[^']*'|\"[^\"]*\"|[^\s,}}]+)",
    re.IGNORECASE,
)
"""``'secret': '…'``, as options are written in Python and JSON."""
SHORT_KEY = re.compile(r"([?&](?:sig|key|auth|pass|code)=)[^&\s]+", re.IGNORECASE)
"""Names that mean a secret in an address only."""
MOST_ADDRESSES = 100
"""In a word; what is behind them is hidden."""
NO_PASSWORD = ("", "x-oauth-basic")
"""Stands where a password would: what is before it is the secret."""


MEANINGFUL = re.compile(
    r"[\\`*\[\]<>|~&$@]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.|^[#+=-]", re.IGNORECASE
)
"""What makes emphasis, code, links, pictures, tables, HTML, formulas, addresses and headings."""


def visible(text: str) -> str:
    """One line of a stranger's text: what cannot be seen is written as Python writes it."""
    if text.isprintable():
        return text
    return "".join(character if _is_seen(character) else _escaped(character) for character in text)


def visible_lines(text: str) -> str:
    """As ``visible``, of a text whose line breaks are ours."""
    return "\n".join(visible(line) for line in text.split("\n"))


def shortened(text: str, most: int = LONGEST) -> str:
    """As ``visible``, with dots for the middle of a name that would fill the screen."""
    text = visible(text)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2) :]}"


def plain(text: str) -> str:
    """A text that Markdown shows as it is, in one line; a backslash is not seen."""
    return MEANINGFUL.sub(r"\\\g<0>", visible(without_password(text)))


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in CONTROLS or character in JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def without_password(text: str) -> str:
    """A text for eyes and logs: the addresses in it keep their user, ``https://me:***@host``.

    Rules:

    1. In ``scheme://user:…@`` all up to the last ``@`` of the word is the password: it may hold
       ``/``, ``@``, ``?`` and ``://``. Rather a host is hidden with it than a part of it shown.
    2. Without a colon, what stands before the ``@`` is a token, or a user's name: hidden, too.
    3. An ``@`` behind the first ``/`` is part of a path where no colon is before that, or where the
       colon is one between host and port (``127.0.0.1:5000/``).
    4. The value of ``password=``, ``token=``, ``'secret':`` and the like is hidden up to ``&`` or a
       blank, or to the end of its quotes.
    5. An address inside of another one's query is decoded first (``%3A%2F%2F``).

    A blank ends an address: a password with one must be written ``%20``, as everywhere.
    """
    text = WORD.sub(_without_userinfo, text)
    text = ASSIGNED.sub(rf"\1{HIDDEN}", text)
    text = QUOTED_KEY.sub(rf"\1'{HIDDEN}'", text)
    return SHORT_KEY.sub(rf"\1{HIDDEN}", text)


def _without_userinfo(found: re.Match[str]) -> str:
    word = _without_secret_before_host(found.group())
    if "%3a%2f%2f" in word.lower():  # rule 5
        word = _without_secret_before_host(unquote(word))
    return word


def _without_secret_before_host(word: str) -> str:
    start = 0
    for _ in range(MOST_ADDRESSES):
        before, scheme, after = word[start:].partition("://")
        body, at, host = after.rpartition("@")
        if not scheme or not at:
            return word
        start += len(before) + len(scheme)
        if any(
            "@" in value.group() for key in (ASSIGNED, SHORT_KEY) for value in key.finditer(word)
        ):
            return f"{word[:start]}{HIDDEN}"  # where either secret ends cannot be told
        authority, slash, _ = body.partition("/")
        user, colon, password = body.partition(":")
        if colon and "/" not in user and not (slash and HOST_AND_PORT.fullmatch(authority)):
            shown = "" if password in NO_PASSWORD or "@" in user else f"{user}:"
            return f"{word[:start]}{shown}{HIDDEN}@{host}"  # rule 1
        if not slash:
            return f"{word[:start]}{HIDDEN}@{host}"  # rule 2
        if "@" in authority:
            host = authority.rpartition("@")[2]
            word = f"{word[:start]}{HIDDEN}@{host}{word[start + len(authority) :]}"
    return f"{word[:start]}{HIDDEN}"
