"""A service whose processes wait for times and events, without a worker meanwhile."""

from datetime import UTC, datetime, timedelta

from atom import FlowService, Profile, Retry, SignalTimedOut, fields

lasting = FlowService("Lasting", summary="Processes that take their time")


class Asked(Profile):
    seconds = fields.Float(data_key="Seconds", load_default=0.5)
    file = fields.String(data_key="File")


class Told(Profile):
    text = fields.String(data_key="Text")


def note(file, line):
    with open(file, "a") as lines:
        lines.write(f"{line}\n")


@lasting.message_action("Sleeps", request=Asked, response=Told, timeout=3600)
def sleeps(request, execution):
    execution.step("before", note, request["file"], "before")
    execution.progress("asleep")
    execution.sleep(request["seconds"])
    execution.step("after", note, request["file"], "after")
    return {"text": f"attempt {execution.attempt}"}


@lasting.message_action("Waits until", request=Asked, response=Told)
def waits_until(request, execution):
    soon = execution.step("when", lambda: datetime.now(UTC) + timedelta(seconds=0.3))
    execution.wait_until(soon - timedelta(days=1))
    execution.wait_until(soon)
    return {"text": "later" if datetime.now(UTC) >= soon else "too early"}


@lasting.message_action("Approval", request=Asked, response=Told)
def approval(request, execution):
    note(request["file"], f"{execution.id} {execution.signal_token('approval')}")
    try:
        event = execution.signal("approval", timeout=request["seconds"])
    except SignalTimedOut as late:
        return {"text": str(late)}
    return {"text": f"approved by {event['by']}"}


@lasting.message_action("Sleeps too long", response=Told, timeout=60)
def sleeps_too_long(request, execution):
    execution.sleep(3600)


@lasting.message_action("Goes on", response=Told)
def goes_on(request, execution):
    try:
        execution.sleep(60)
    except BaseException:
        return {"text": "awake"}


@lasting.message_action("Sleeps in a step", response=Told)
def sleeps_in_a_step(request, execution):
    execution.step("naps", lambda: execution.sleep(1))


@lasting.message_action(
    "Fails after a sleep", request=Asked, response=Told, retry=Retry(wait_seconds=0.01)
)
def fails_after_a_sleep(request, execution):
    execution.sleep(0.2)
    note(request["file"], "woke")
    if execution.attempt < 3:
        raise ConnectionError("not yet")
    return {"text": "at last"}


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = lasting.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    execution.sleep(1)
