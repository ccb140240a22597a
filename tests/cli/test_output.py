"""What is printed where nobody reads it: messages are dropped, results are a fault, and a slow reader gets all."""

import io
import os
import sys
import threading

import pytest
from helpers.shell import run_here

from ebmcli.cli import output


def stream(number, needed):
    return io.TextIOWrapper(io.BufferedWriter(output._File(number, "stdout", needed)), "utf-8", write_through=True)


def full():
    return os.open("/dev/full", os.O_WRONLY)


def unread():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def shut():
    return os.open(os.devnull, os.O_RDONLY)  # as `prepare` leaves one that the caller closed


@pytest.mark.parametrize(
    ("opened", "why"), [(full, "No space left on device"), (unread, "Broken pipe"), (shut, "it is closed")]
)
def test_a_result_is_a_fault_once_and_a_message_never(opened, why):
    number = opened()
    messages = stream(number, needed=False)
    print("x" * 100_000, file=messages)
    messages.flush()
    results = stream(number, needed=True)
    with pytest.raises(output.Unprinted, match=f"^stdout: {why}: not all of it could be printed$"):
        print("x" * 100_000, file=results, flush=True)
    print("more", file=results, flush=True)
    os.close(number)


def test_a_reader_in_no_hurry_gets_all_of_it():
    """Of a pipe that does not wait by itself, as another program may have left it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    parts = []

    def read():
        while part := os.read(reader, 4096):
            parts.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    printed = stream(writer, needed=True)
    printed.write("x" * 1_000_000)
    printed.flush()
    os.close(writer)
    thread.join()
    os.close(reader)
    assert b"".join(parts) == b"x" * 1_000_000


@pytest.mark.parametrize("json", [False, True])
def test_training_goes_well_where_its_table_cannot_be_printed_but_not_its_json(finished_copy, monkeypatch, json):
    def lost(*given):
        raise output.Unprinted("stdout: Broken pipe: not all of it could be printed")

    monkeypatch.setattr("ebmcli.cli.run._print_results", lost)
    asked = ["sweep", "--loss", "hinge,log", "--sampler", "uniform", "--seeds", "0,1", "--name", "x"]
    sizes = ["--steps", "20", "--batch-size", "8", "--set", "hidden=4", "--set", "layers=1", "--set", "negatives=4"]
    options = ["--no-pictures", *(["--json"] if json else [])]
    _, err = run_here(finished_copy, *asked, *sizes, *options, code=1 if json else 0)
    assert err.splitlines()[-1] == (
        "ebm: stdout: Broken pipe: not all of it could be printed"
        if json
        else "stdout: Broken pipe: not all of it could be printed; ebm report results/x prints it"
    )


def test_streams_that_somebody_has_replaced_stay(capsys):
    before = sys.stdout, sys.stderr
    output.prepare()
    assert (sys.stdout, sys.stderr) == before
