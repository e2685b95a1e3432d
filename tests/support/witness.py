"""The service of the fault-point tests: each body of a step leaves a line in a file."""

from atom import Fault, FlowService, Profile, Retry, fields

witness = FlowService("Witness", summary="Says what ran", version="1")


class Asked(Profile):
    file = fields.String(data_key="File", required=True)


class AskedWithPassword(Asked):
    password = fields.Password(data_key="Password")


class Told(Profile):
    text = fields.String(data_key="Text")


PASSWORD = "canary-password"


def _line(file, line):
    with open(file, "a") as lines:
        lines.write(f"{line}\n")


def _fail_once(file, error):
    with open(file) as lines:
        has_failed = "failed" in lines.read()
    if not has_failed:
        _line(file, "failed")
        raise error


@witness.message_action("Work", request=Asked, response=Told)
def work(request, execution):
    execution.step("one", _line, request["file"], "one")
    execution.progress("half way")
    execution.step("two", _line, request["file"], "two")
    return {"text": "done"}


@witness.message_action("One at a time", request=Asked, response=Told, max_concurrency=1)
def one_at_a_time(request, execution):
    execution.step("one", _line, request["file"], "one")
    return {"text": "done"}


@witness.message_action("Says no", request=Asked, response=Told)
def says_no(request, execution):
    execution.step("one", _line, request["file"], "one")

    def no():
        _line(request["file"], "no")
        raise Fault("Not today.", name="No")

    execution.step("no", no)


@witness.message_action("Again", request=Asked, response=Told, retry=Retry(wait_seconds=0.01))
def again(request, execution):
    execution.step("one", _line, request["file"], "one")
    execution.step("check", _fail_once, request["file"], ConnectionError("the first time"))
    return {"text": "done"}


@witness.message_action("Fails once", request=AskedWithPassword, response=Told)
def fails_once(request, execution):
    execution.step("one", _line, request["file"], "one")
    execution.step("two", _line, request["file"], "two")
    execution.step("check", _fail_once, request["file"], Fault("Not yet.", name="NotYet"))
    return {"text": "done" if request["password"] in (None, PASSWORD) else "another password"}


@witness.message_action("Sleeps", request=Asked, response=Told)
def sleeps(request, execution):
    execution.step("one", _line, request["file"], "one")
    execution.sleep(600)
    execution.step("two", _line, request["file"], "two")
    return {"text": "done"}


@witness.message_action("Asks", request=Asked, response=Told)
def asks(request, execution):
    execution.step("one", _line, request["file"], "one")
    execution.signal_token("go")
    return {"text": execution.signal("go")}


def part(item, execution):
    execution.step("line", _line, item["file"], item["line"])
    return item["line"]


@witness.message_action("Maps", request=Asked, response=Told)
def maps(request, execution):
    items = [{"file": request["file"], "line": line} for line in ("p0", "p1")]
    lines = execution.map("parts", part, items, concurrency=1)
    return {"text": "done" if lines == ["p0", "p1"] else str(lines)}


def part_that_fails_once(item, execution):
    execution.step("line", _line, item["file"], item["line"])
    if item["line"] == "p1":
        execution.step("check", _fail_once, item["file"], Fault("Not yet.", name="NotYet"))
    return item["line"]


@witness.message_action("Maps and fails once", request=Asked, response=Told)
def maps_and_fails_once(request, execution):
    execution.step("one", _line, request["file"], "one")
    items = [{"file": request["file"], "line": line} for line in ("p0", "p1")]
    lines = execution.map("parts", part_that_fails_once, items, concurrency=1)
    return {"text": "done" if lines == ["p0", "p1"] else str(lines)}


def no_part(item, execution):
    _line(item["file"], "no")
    raise Fault("Not today.", name="No")


@witness.message_action("Stops", request=Asked, response=Told)
def stops(request, execution):
    execution.map("parts", no_part, [{"file": request["file"]}] * 3, concurrency=1)


def clean_up(request, execution, ending):
    execution.step("c1", _line, request["file"], "c1")
    execution.step("c2", _line, request["file"], "c2")


@witness.message_action("Cleans", request=Asked, response=Told, on_end=clean_up)
def cleans(request, execution):
    execution.step("one", _line, request["file"], "one")
    return {"text": "done"}


@witness.message_action("Cleans after a no", request=Asked, response=Told, on_end=clean_up)
def cleans_after_a_no(request, execution):
    raise Fault("Not today.", name="No")


@witness.message_action("In time", request=Asked, response=Told, sync_timeout=30)
def in_time(request, execution):
    execution.step("one", _line, request["file"], "one")
    return {"text": "done"}


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = witness.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    return {"id": id}
