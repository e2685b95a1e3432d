"""Steps, waits and children belong to the thread that runs the process."""

import asyncio
import contextvars
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from atom import testing
from atom.errors import WrongThread


def item_function(item, execution):
    return item


def called_process(request, execution):
    return {}


REQUESTS = {
    "step": lambda execution: execution.step("x", int),
    "sleep": lambda execution: execution.sleep(1),
    "wait_until": lambda execution: execution.wait_until(datetime(2026, 1, 1, tzinfo=UTC)),
    "signal": lambda execution: execution.signal("x"),
    "map": lambda execution: execution.map("x", item_function, [1]),
    "call": lambda execution: execution.call(called_process, {}),
}


def in_pool(function):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function).result()


def in_pool_with_copied_context(function):
    context = contextvars.copy_context()
    in_pool(lambda: context.run(function))


def in_thread_of_asyncio(function):
    asyncio.run(asyncio.to_thread(function))


def in_task(function):
    async def main():
        await asyncio.gather(*(asyncio.to_thread(int), run()))

    async def run():
        await asyncio.sleep(0)
        function()

    asyncio.run(main())


def in_callback_of_loop(function):
    errors = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: errors.append(context["exception"])
        )
        asyncio.get_running_loop().call_soon(function)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    raise errors[0]


PLACES = [in_pool, in_pool_with_copied_context, in_thread_of_asyncio, in_task, in_callback_of_loop]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("request_step", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("attempt", [1, 2])
def test_request_outside_of_the_thread_of_the_process_is_refused(request_step, place, attempt):
    journal = testing.MemoryJournal()
    journal.signals["x"] = "event"
    if attempt == 2:
        request_step(testing.execution(journal))
    recorded = list(journal.steps)
    execution = testing.execution(journal)
    with pytest.raises(WrongThread, match="belong to the thread that runs the process"):
        place(lambda: request_step(execution))
    assert journal.steps == recorded
    request_step(execution)  # the process itself still may


FORKING = """
import os
from atom import testing
from atom.errors import WrongThread

execution = testing.execution()
if os.fork() == 0:
    try:
        execution.step("x", int)
    except WrongThread as error:
        print(error)
else:
    os.wait()
"""


def test_request_in_a_forked_process_is_refused():
    command = [sys.executable, "-c", FORKING]
    forked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "“x” was requested in process " in forked.stdout


def test_step_may_use_threads_and_asyncio_within():
    execution = testing.execution()

    def squares():
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda number: number**2, range(5)))

    async def hello():
        await asyncio.sleep(0)
        return "hello"

    assert execution.step("squares", squares) == [0, 1, 4, 9, 16]
    assert execution.step("hello", lambda: asyncio.run(hello())) == "hello"


def test_execution_made_within_a_task_belongs_to_that_task():
    async def main():
        execution = testing.execution()
        assert execution.step("x", int) == 0
        with pytest.raises(WrongThread, match="asyncio task"):
            await asyncio.create_task(step_in(execution))

    async def step_in(execution):
        execution.step("y", int)

    asyncio.run(main())


def test_progress_and_cancelled_may_be_used_by_every_thread():
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    thread = threading.Thread(target=execution.progress, args=("half",))
    thread.start()
    thread.join()
    assert journal.messages == ["half"]
