"""What is shown of a stranger's text: nothing that a terminal obeys, and no password."""

import json
import string
import time
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmdet2tflite.errors import StoreError
from mmdet2tflite.safe_text import shortened, visible, visible_lines, without_password

MARK = "Zq9"
"""Stands in every password, and nowhere else."""

PRINTED = string.ascii_letters + string.digits + string.punctuation + "äß中"
in_address = st.text(PRINTED, max_size=20)
names = st.text(string.ascii_letters + string.digits + "._-%+", max_size=12)
schemes = st.sampled_from(["http", "https", "s3", "postgresql+psycopg2", "simplecache::s3"])
words = st.sampled_from(
    ["no answer from", "", "https://a.example/b@c", "x://y:8080/z", "'", "(", ":"]
)


@st.composite
def passwords(draw, more=in_address):
    password = draw(more) + MARK + draw(more)
    # A colon and digits before a slash are a port, where a host with a dot is before them.
    return password.lstrip(string.digits) if "/" in password else password


@st.composite
def addresses(draw):
    user, host = draw(names), draw(names)
    return f"{draw(schemes)}://{user}:{draw(passwords())}@{host}/{draw(names)}"


@given(before=words, address=addresses(), after=words, other=addresses())
@example("", f"s3://AKIA:wJalrXUtn/{MARK}/K7+=@bucket", "", "s3://a:b@c")
@example("", f"https://me@firm.example:{MARK}@host/x", "", "https://a:b@c")
@settings(max_examples=400, deadline=None, derandomize=True)
def test_no_password_of_an_address_survives(before, address, after, other):
    for between in (" ", ",", "\n", "; "):
        text = f"{before}{between}{address}{between}{other}{between}{after}"
        assert MARK not in without_password(text)
    assert MARK not in str(StoreError("found", address, f"use {address}"))


@given(scheme=schemes, token=passwords(names), host=names)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nor_a_token_in_the_place_of_the_user(scheme, token, host):
    for userinfo in (token, f"{token}:", f"{token}:x-oauth-basic", f":{token}"):
        assert MARK not in without_password(f"see {scheme}://{userinfo}@{host}.example/a")


KEYS = [
    "password",
    "sslpassword",
    "token",
    "PASSWORD",
    "X-Amz-Signature",
    "secret",
    "api_key",
    "sig",
]


@given(
    key=st.sampled_from([*KEYS, "X-Amz-Security-Token", "access_token", "pwd", "auth", "api_key"]),
    value=passwords(st.text(PRINTED.translate({ord(c): None for c in "&'\""}), max_size=12)),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nor_one_of_a_query_however_it_is_written(key, value):
    for query in (f"?{key}={value}", f"?a=b&{key}={value}&c=d", f"?{key}={quote(value, '')}&c=d"):
        shown = without_password(f"https://host/x{query} does not answer")
        assert MARK not in shown
        assert shown.endswith(" does not answer")
    inner = quote(f"https://me:{value}@host/?{key}={value}", "")
    assert MARK not in without_password(f"https://host/login?next={inner}")


@given(value=passwords(st.text(string.ascii_letters + "/+=@:", max_size=12)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_nor_one_of_options_and_variables(value):
    options = {"key": "AKIA", "secret": value, "client_kwargs": {"aws_secret_access_key": value}}
    for text in (str(options), json.dumps(options), f"AWS_SECRET_ACCESS_KEY={value}"):
        assert MARK not in without_password(f"with {text}: refused")
    assert MARK not in without_password(f"host=db user=me password='{value} x {value}'")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer from postgresql://me:s3cr:t@db:5432/x: refused", None),
        ("https://token@host:80/a", "https://***@host:80/a"),
        ("s3://KEY:a/b@bucket/x, s3://KEY:c@other", "s3://KEY:***@bucket/x, s3://KEY:***@other"),
        ("?sslpassword=a&sslmode=require", "?sslpassword=***&sslmode=require"),
    ],
)
def test_all_the_rest_of_an_address_is_shown(text, shown):
    expected = "no answer from postgresql://me:***@db:5432/x: refused" if shown is None else shown
    assert without_password(text) == expected
    assert without_password(without_password(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/a:b@c",
        "http://localhost:5000/#/models/digits@champion",
        "sqlite:////a/b.db",
        "s3://bucket/a@b",
        "digits@champion",
        "--set training.epochs=3",
        "found character '%' that cannot start any token: a",
        "",
    ],
)
def test_what_has_no_password_stays_as_it_is(text):
    assert without_password(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jcat", r"\x1b[2Jcat"),
        ("cat\n  to do: rm", r"cat\n  to do: rm"),
        ("a\rb\tc\x00\x7f\x9b31m", r"a\rb\tc\x00\x7f\x9b31m"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("\u2066x\u2069\u2028\ufeff\U000e0041", r"\u2066x\u2069\u2028\ufeff\U000e0041"),
        ("\udcff.png", r"\udcff.png"),
        ("Größe 猫 🐈 می‌خواهم", "Größe 猫 🐈 می‌خواهم"),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out(text, shown):
    assert visible(text) == shown


@given(st.text(), st.text(), st.text())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_control_character_of_an_error_reaches_the_terminal(found, expected, remedy):
    text = str(StoreError(found, expected, remedy))
    text.encode()  # halves of characters cannot be printed
    assert all(line == visible(line) for line in text.split("\n"))


def test_line_breaks_of_ours_stay():
    assert visible_lines("a\n    b\x1b") == "a\n    b\\x1b"


def test_a_name_that_would_fill_the_screen_is_cut_in_its_middle():
    assert shortened("cat") == "cat"
    assert shortened("a" * 10**6 + "\n") == "a" * 100 + "…" + "a" * 98 + r"\n"


@pytest.mark.parametrize(
    "part", ["a", "token", "://", "token='", "x://a/b", "%3a%2f%2f", "'a':", "@:/"]
)
def test_no_text_takes_long(part):
    started = time.process_time()
    without_password(part * 100_000 + "@")
    assert time.process_time() - started < 10  # a search that is quadratic takes many minutes
