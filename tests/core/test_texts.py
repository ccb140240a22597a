"""Text that comes from outside, as messages, commands and names of files hold it."""

import shlex
import unicodedata

import pytest

from ebmcli.core.texts import HIDDEN, command_line, distinct, file_name, masked, printable, quoted, shortened

ODD = ["a\nb", "a\rb", "\x1b[31m", "a\x00", "\u202eabc", "\udce9", "\x9b31m", "zero\u200bwidth", "\u2028", "\x7f"]
NAMES = ["sp ace", "sp-ace", "SP-ACE", "Sp-ace", "sp_ace", "", " ", ".", "..", ".sp-ace", "sp/ace", "sp\\ace", "é",
         "e\u0301", "\udce9", "a" * 80, "a" * 81, "a" * 234, "A" * 234, "=cmd", "x\n", "x", "X", "-x"]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_what_acts_on_a_terminal_is_an_escape_and_tells_texts_apart(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode()
    assert shown.encode().decode("unicode_escape").encode(errors="surrogatepass") == text.encode(errors="surrogatepass")
    assert quoted(text) == repr(text)


def test_what_is_plain_stays_and_lines_stay_where_they_may():
    assert printable("a [b] β ± 🙂") == "a [b] β ± 🙂"
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
    assert [quoted(text) for text in ("in/a-b_c.csv", "a b", "it's", "")] == ["in/a-b_c.csv", "'a b'", '"it\'s"', "''"]


def test_a_long_text_is_shortened_in_its_middle():
    assert shortened("abcdefghij", 10) == "abcdefghij"
    short = shortened("a" * 50 + "z" * 50, 20)
    assert len(short) == 20
    assert short == "a" * 9 + "…" + "z" * 10


def test_no_two_texts_share_the_name_of_a_file_on_any_file_system():
    names = [file_name(text) for text in NAMES]
    for fold in (str.lower, lambda name: unicodedata.normalize("NFC", name.lower())):
        assert len({fold(name) for name in names}) == len(NAMES)
    for text, name in zip(NAMES, names, strict=True):
        assert name.isascii()
        assert 0 < len(name) < 100
        assert not set(name) & set("/\\ \n")
        assert name[0] not in ".-"
        assert file_name(text) == name
    assert file_name("moons") == "moons"
    assert file_name("sp ace").startswith("sp-ace-")


def test_equal_names_are_numbered():
    assert distinct(["a", "b", "A", "a", "a-2", ""]) == ["a", "b", "A-2", "a-3", "a-2-2", ""]


SECRETS = [
    ["--scheduler", "tls://user:s3cr3t@host:8786"],
    ["--scheduler", "tls://user:s3cr3t@more@host:8786"],
    ["--scheduler=tcp://s3cr3t@host"],
    ["--job", "slurm_token=s3cr3t"],
    ["--job", "slurm_password=s3cr3t and, s3cr3t"],
    ["--job=slurm_comment=tls://u:s3cr3t@h"],
    ["--job", 'slurm_additional_parameters={"api_key": "s3cr3t x", "n": 1}'],
    ["--set", "AWS_SECRET_ACCESS_KEY=s3cr3t"],
    ["--api-key", "s3cr3t"],
    ["--auth-token=s3cr3t"],
    ["https://host/?token=s3cr3t&x=1"],
]


@pytest.mark.parametrize("arguments", SECRETS)
def test_a_command_is_written_down_without_its_secrets(arguments):
    line = command_line(["ebm", "sweep", *arguments, "--loss", "hinge"])
    assert "s3cr3t" not in line
    assert HIDDEN in line
    assert line.endswith("--loss hinge")


MESSAGES = ["tls://u:s3cr3t@h:1", "OSError: 'tls://u:s3cr3t@h'", "password = s3cr3t", "token: 's3 s3cr3t'",
            "Authorization: Bearer s3cr3t", '{"api_key": "s3cr3t"}']  # fmt: skip


@pytest.mark.parametrize("words", MESSAGES)
def test_a_message_is_printed_without_its_secrets(words):
    assert "s3cr3t" not in masked(f"it failed: {words}, the end")
    assert masked(f"it failed: {words}, the end").endswith("the end")


@pytest.mark.parametrize(
    "arguments",
    [["--task", "points:a@b.csv"], ["--set", "tokens=5"], ["--set", "author=me"], ["--lr", "0.1"], ["a b", "c\nd"]],
)
def test_what_is_no_secret_stays(arguments):
    assert shlex.split(command_line(["ebm", *arguments])) == ["ebm", *arguments]
    assert masked("unauthorised; author: me, tokens: 3") == "unauthorised; author: me, tokens: 3"
