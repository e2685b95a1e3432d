"""Steps that a process requests from its threads and tasks, over several attempts."""

import asyncio
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from atom import FlowService, Profile, Retry, fields
from atom.records import State
from tests.support.running import Worker

threaded = FlowService("Threaded", summary="Processes with threads", version="1")


class Text(Profile):
    text = fields.String(data_key="Text")


class Again(Exception):
    """The first attempt failed."""


def square(number):
    return number * number


def squared_in_threads(execution):
    def square_in_step(number):
        time.sleep(random.random() / 100)
        return execution.step("square", square, number)

    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(square_in_step, range(6)))


def squared_in_tasks(execution):
    async def square_in_step(number):
        await asyncio.sleep(random.random() / 100)
        return execution.step("square", square, number)

    async def main():
        return await asyncio.gather(*map(square_in_step, range(6)))

    return asyncio.run(main())


def squared_in_threads_within_a_step(execution):
    return execution.step("all", lambda: squared_in_threads(execution))


WAYS = {
    "threads": squared_in_threads,
    "tasks": squared_in_tasks,
    "threads in a step": squared_in_threads_within_a_step,
}
policy = Retry(attempts=3, on=(Again,), wait_seconds=0.0)


@threaded.message_action("Squares", request=Text, response=Text, retry=policy)
def squares(request, execution):
    execution.step("before", int)
    numbers = WAYS[request["text"]](execution)
    if execution.attempt == 1:
        raise Again
    return {"text": json.dumps(numbers)}


@threaded.message_action("Squares later", request=Text, response=Text, retry=policy)
def squares_later(request, execution):
    """Refused threads leave nothing behind that a later attempt of the process could read."""
    execution.step("before", int)
    try:
        WAYS[request["text"]](execution)
    except Exception:
        numbers = [execution.step("square", square, number) for number in range(6)]
    if execution.attempt == 1:
        raise Again
    return {"text": json.dumps(numbers)}


@pytest.fixture
def worker(settings, raw):
    worker = Worker(settings, threaded)
    yield worker
    worker.keeper.hand_back()
    worker.store.close()


def run(worker, action, way):
    value = {"developerName": "Text", "contentType": "ContentString", "contentValue": way}
    execution_id = worker.accept(action, inputs=[value])
    while not (execution := worker.run(execution_id)).state.is_final:
        pass
    return execution


@pytest.mark.parametrize("way", WAYS)
def test_steps_of_threads_are_refused_by_the_rule(worker, way):
    for _ in range(3):
        execution = run(worker, "Squares", way)
        assert execution.state is State.FAILED
        assert execution.attempts == 1
        if way == "threads in a step":
            assert "“all” failed: WrongThread" in execution.error
        else:
            assert "belong to the thread that runs the process" in execution.error
        assert "square" not in [step.name for step in execution.steps]


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_steps_of_threads_leave_nothing_in_the_journal(worker, way):
    execution = run(worker, "Squares later", way)
    (value,) = execution.response["outputs"]
    assert json.loads(value["contentValue"]) == [0, 1, 4, 9, 16, 25]
    assert execution.attempts == 2
    assert [step.name for step in execution.steps] == ["before", *["square"] * 6]
