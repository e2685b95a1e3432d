"""Captured streams: which writes become which records."""
# ruff: noqa: T201 (printing is what is tested)

import io
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import streams
from atom.redaction import hiding
from atom.streams import capture_streams, ending_lines

execution = ContextVar("execution", default="none")


class Printed(logging.Handler):
    """The lines that are logged while the streams are captured, and the role's own stderr."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.contexts = []
        self.own_stderr = io.StringIO()

    def emit(self, record):
        self.lines.append(record.getMessage())
        self.contexts.append(execution.get())


@contextmanager
def captured(original=io.StringIO):
    """Capture the streams; not in a fixture, since pytest sets its own before each test."""
    printed = Printed()
    logger = logging.getLogger("atom.printed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "handlers", [printed])
        patch.setattr(logger, "level", logging.INFO)
        patch.setattr(sys, "stdout", original())
        patch.setattr(sys, "stderr", original())
        patch.setattr(sys, "__stderr__", printed.own_stderr)
        patch.setattr(streams, "_captured", [])
        capture_streams()
        yield printed


pieces = st.lists(st.text(st.sampled_from("ab \n\r☃\udce9"), max_size=8), max_size=10)


@given(pieces, st.booleans())
def test_pieces_make_the_same_lines_however_they_are_cut(texts, is_binary):
    with captured() as printed:
        for text in texts:
            if is_binary:
                sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
            else:
                sys.stdout.write(text)
        sys.stdout.flush()
    whole = "".join(texts).encode(errors="backslashreplace").decode()
    assert without_blanks("\n".join(printed.lines)) == without_blanks(whole)


def without_blanks(text):
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def test_text_of_several_lines_is_one_record():
    with captured() as printed:
        print("a\n  b\nc")
    assert printed.lines == ["a\n  b\nc"]


def test_unfinished_line_is_logged_at_the_end_of_the_block():
    with captured() as printed, ending_lines():
        print("half", end="")
        print("err", end="", file=sys.stderr)
        assert printed.lines == []
    assert printed.lines == ["half", "err"]


def test_unfinished_line_is_logged_if_the_block_raises():
    def interrupted():
        with ending_lines():
            print("half", end="")
            raise KeyboardInterrupt

    with captured() as printed, pytest.raises(KeyboardInterrupt):
        interrupted()
    assert printed.lines == ["half"]


def test_unfinished_line_of_a_thread_is_logged_once_the_thread_has_ended():
    token = execution.set("of the main thread")
    with captured() as printed:
        print("main", end=" ")
        thread = threading.Thread(target=print, args=("thread",), kwargs={"end": ""})
        thread.start()
        thread.join()
        print("goes on")
    execution.reset(token)
    assert printed.lines == ["thread", "main goes on"]
    assert printed.contexts == ["none", "of the main thread"]
    assert [thread.name for thread in threading.enumerate() if "Dummy" in thread.name] == []


def test_endless_line_is_logged_in_parts():
    with captured() as printed:
        for _ in range(30):
            print("x" * 10_000, end="\r")
        sys.stdout.flush()
    lengths = [len(line) for line in printed.lines]
    assert sum(lengths) > 30 * 10_000
    assert max(lengths) < 80_000


def test_stream_without_an_original_has_no_descriptor():
    with captured(lambda: None) as printed:
        with pytest.raises(io.UnsupportedOperation):
            sys.stdout.fileno()
        print("still logged")
    assert printed.lines == ["still logged"]


def test_descriptor_is_that_of_the_original(tmp_path):
    with (tmp_path / "out").open("w") as original, captured(lambda: original):
        os.write(sys.stdout.fileno(), b"as it is\n")
    assert (tmp_path / "out").read_text() == "as it is\n"


def test_second_capture_changes_nothing():
    with captured():
        stream = sys.stdout
        capture_streams()
        assert sys.stdout is stream


@pytest.mark.parametrize("value", ["text", 3, None])
def test_buffer_takes_bytes_only(value):
    with captured(), pytest.raises(TypeError):
        sys.stdout.buffer.write(value)


def test_stream_takes_text_and_known_options_only():
    with captured():
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")
        with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
            sys.stdout.reconfigure(colour=True)


def test_replaced_stream_that_is_dropped_leaves_the_buffer_open():
    with captured() as printed:
        wrapper = io.TextIOWrapper(sys.stdout.buffer, "utf-8")
        wrapper.write("wrapped")
        del wrapper
        print("open")
    assert printed.lines == ["wrapped", "open"]


class Failing(logging.Handler):
    """A handler that cannot write, and reports that on standard error as every handler does."""

    def emit(self, record):
        try:
            raise OSError("disk full")
        except OSError:
            self.handleError(record)


def test_handler_that_fails_does_not_print_into_itself():
    with captured() as printed, hiding(["canary-secret"]):
        logging.getLogger("atom.printed").handlers.append(Failing())
        print("a canary-secret")
    assert printed.lines == ["a canary-secret"]  # the formatter of a handler masks it
    own_stderr = printed.own_stderr.getvalue()
    assert "disk full" in own_stderr
    assert "canary-secret" not in own_stderr


ENDING = """
import logging, sys, threading
from atom.logs import configure_logging
from atom.streams import capture_streams

configure_logging("INFO", "text")
capture_streams()
threading.Thread(target=print, args=("of a thread",), kwargs={"end": ""}).start()
print("unfinished", end="")
"""


def test_interpreter_ends_quietly_with_captured_streams():
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", ENDING]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = ended.stderr.splitlines()
    assert [line.rpartition("atom.printed: ")[2] for line in lines] == ["of a thread", "unfinished"]
    assert ended.stdout == ""
