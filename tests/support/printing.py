"""A service that uses the standard streams as programs and libraries do."""
# ruff: noqa: T201, LOG001 (that is what people write)

import contextlib
import faulthandler
import io
import json
import logging
import os
import subprocess
import sys
import threading
import traceback

import click
from rich.console import Console

from atom import FlowService, Profile, fields

printing = FlowService("Printing", summary="Uses the standard streams")


class Way(Profile):
    way = fields.String(data_key="Way")
    pin = fields.Password(data_key="Pin")


class Text(Profile):
    text = fields.String(data_key="Text")


def attributes(pin):
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.fstat(stream.fileno())
        os.fstat(stream.buffer.fileno())
    return [
        [
            *(stream.encoding, stream.errors, stream.mode, stream.newlines, stream.closed),
            *(stream.isatty(), stream.readable(), stream.writable(), stream.seekable()),
            *(stream.name, stream.buffer.writable(), stream.write("")),
        ]
        for stream in (sys.stdout, sys.stderr)
    ]


def reconfigure(pin):
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    print("reconfigured", pin)


def old_idioms(pin):
    """Replace the stream over its buffer, as scripts written for Python 2 did."""
    with contextlib.redirect_stdout(io.TextIOWrapper(sys.stdout.buffer, "utf-8")):
        print("wrapped", pin)
        sys.stdout.flush()
    with contextlib.redirect_stdout(io.TextIOWrapper(sys.stdout.detach(), "utf-8")):
        print("detached", pin)
    sys.stdout.close()
    print("closed", pin)


def redirected(pin):
    with contextlib.redirect_stdout(io.StringIO()) as taken, contextlib.redirect_stderr(taken):
        print("caught", pin)
        print("caught", file=sys.stderr)
    return taken.getvalue().replace(pin, "PIN")


def pieces(pin):
    print("a", "b", 3, sep="-", end="|")
    print(pin[:4], end="")
    print(pin[4:])
    sys.stdout.writelines(["two\n", "lines\n"])
    print()
    print("unfinished", pin, end="")


def in_bytes(pin):
    sys.stdout.buffer.write(b"bytes " + pin.encode() + b"\n")
    sys.stderr.buffer.write(memoryview(b"view \xff\n"))


def with_click(pin):
    click.echo(f"echo ☃ {pin}")
    click.secho(f"red {pin}", fg="red", err=True)
    click.echo(b"bytes of click")


def with_rich(pin):
    Console().print(f"[bold]rich[/bold] {pin}")


def with_handler(pin):
    handler = logging.StreamHandler(sys.stdout)
    logger = logging.Logger("of.its.own")
    logger.addHandler(handler)
    logger.error("handled %s", pin)


def with_traceback(pin):
    try:
        raise ValueError(pin)
    except ValueError:
        traceback.print_exc()


def odd_names(pin):
    print("odd", os.fsdecode(b"caf\xe9"), pin)


def with_subprocess(pin):
    for stream in (sys.stdout, sys.stderr):
        subprocess.run(["echo", "of a subprocess"], stdout=stream, check=True)
    return subprocess.run(["cat"], input="x", capture_output=True, text=True, check=True).stdout


def with_faulthandler(pin):
    faulthandler.dump_traceback(sys.stdout)
    faulthandler.dump_traceback()


def in_threads(pin):
    def run(number):
        for _ in range(20):
            print("thread", end=" ")
            print(number, pin)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


WAYS = {
    function.__name__: function
    for function in (
        *(attributes, reconfigure, old_idioms, redirected, pieces, in_bytes, with_click),
        *(with_rich, with_handler, with_traceback, odd_names, with_subprocess),
        *(with_faulthandler, in_threads),
    )
}


@printing.message_action("Print", request=Way, response=Text)
def print_in_a_way(request, execution):
    result = WAYS[request["way"]](str(request["pin"]))
    return {"text": json.dumps(result)}
