"""A service whose processes end in ways other than by a result or an ordinary exception."""

import argparse
import asyncio
import os
import signal
import sys
import time

from atom import Fault, FlowService, Profile, fields

exits = FlowService("Exits", summary="Processes that leave")


class Own(BaseException):
    pass


class Odd(Exception):
    def __str__(self):
        raise ValueError("no text")


def leave(how, password=""):
    match how:
        case "sys.exit":
            sys.exit(f"cannot go on with {password}")
        case "argparse":
            argparse.ArgumentParser(prog="tool").parse_args(["--password", str(password)])
        case "cancelled":
            raise asyncio.CancelledError(f"with {password}")
        case "interrupt":
            raise KeyboardInterrupt
        case "generator":
            raise GeneratorExit
        case "own":
            raise Own(f"wrong {password}")
        case "odd":
            raise Odd(password)
        case "surrogate fault":
            raise Fault(f"no file caf\udce9.txt {password}", name="Mis\udce9ing")
        case "number fault":
            raise Fault(404)
        case "bytes fault":
            raise Fault(b"no \xff way")
    raise AssertionError(how)


class Asked(Profile):
    how = fields.String(data_key="How")
    password = fields.Password(data_key="Password")
    directory = fields.String(data_key="Directory")


class Text(Profile):
    text = fields.String(data_key="Text")


@exits.message_action("Leave", request=Asked, response=Text)
def from_process(request, execution):
    leave(request["how"], request["password"])


@exits.message_action("Leave at a step", request=Asked, response=Text)
def from_step(request, execution):
    execution.step("leaving", leave, request["how"], request["password"])


@exits.message_action("Leave at an item", request=Asked, response=Text)
def from_item(request, execution):
    execution.map("items", leave_item, [request["how"]])


def leave_item(how, execution):
    leave(how)


@exits.message_action("Meet", request=Asked, response=Text)
def meet(request, execution):
    """End when two of these run at the same time."""
    directory = request["directory"]
    with open(os.path.join(directory, execution.id), "w"):
        pass
    while len(os.listdir(directory)) < 2:
        time.sleep(0.05)
    return {"text": "met"}


@exits.message_action("Terminated once", request=Asked, response=Text)
def terminated_once(request, execution):
    """Get a signal that ends a child of a prefork worker, in the first attempt."""
    number = signal.SIGHUP if "SIGHUP" in request["how"] else signal.SIGQUIT

    def wait():
        if execution.attempt > 1:
            return
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            if "cleanup fails" in request["how"]:
                raise ValueError(f"cannot log out with {request['password']}")
            if "cleanup exits" in request["how"]:
                sys.exit(f"cannot log out with {request['password']}")

    if "step" in request["how"]:
        execution.step("wait", wait)
    else:
        wait()
    return {"text": f"attempt {execution.attempt}"}


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = exits.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    leave(id)


files = exits.file_resource("/files")


@files.upload
def upload_file(file, execution):
    leave(file.read().decode())
