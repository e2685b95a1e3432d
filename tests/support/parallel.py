"""A service whose processes start processes of their own."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from atom import FlowService, Profile, fields

parallel = FlowService("Parallel", summary="Starts processes of its own")


class Way(Profile):
    way = fields.String(data_key="Way")
    pin = fields.Password(data_key="Pin")
    file = fields.String(data_key="File")


class Text(Profile):
    text = fields.String(data_key="Text")


def square(number):
    return number * number


def printed(pin):
    print("in the pool", pin)  # noqa: T201 (it goes to the log)
    return multiprocessing.current_process().daemon


def squares_in_pool(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, range(4))


def squares_in_executor(pin):
    with ProcessPoolExecutor(2) as executor:
        return list(executor.map(square, range(4)))


def put(queue, number):
    queue.put(number)


def through_queue(pin):
    queue = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=put, args=(queue, n)) for n in range(3)]
    for process in processes:
        process.start()
    numbers = sorted(queue.get(timeout=30) for _ in processes)
    for process in processes:
        process.join(30)
    return [numbers, [process.exitcode for process in processes]]


def through_manager(pin):
    with multiprocessing.Manager() as manager:
        numbers = manager.dict()
        process = multiprocessing.Process(target=numbers.update, args=({"a": 1},))
        process.start()
        process.join(30)
        return dict(numbers)


def prints_in_pool(pin):
    with multiprocessing.Pool(1) as pool:
        return pool.map(printed, [pin])


def pool_in_a_child(pin):
    """A child that is no daemon may have children, too."""
    with ProcessPoolExecutor(1) as executor:
        return executor.submit(squares_in_pool, "fork").result(30)


def in_subprocess(pin):
    program = "from multiprocessing import Pool; print(Pool(1).map(abs, [-1]))"
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def many_pools(pin):
    """Each ends its processes while some of them are still starting."""
    for method in ("fork", "spawn"):
        for _ in range(15 if method == "fork" else 2):
            squares_in_pool(method)


def terminated(pin):
    """SIGTERM ends a program, one that `timeout` starts, and a forked process."""
    program = subprocess.Popen(["sleep", "600"])
    program.terminate()
    limited = subprocess.run(["timeout", "0.1", "sleep", "600"], check=False)
    process = multiprocessing.Process(target=time.sleep, args=(600,))
    process.start()
    process.terminate()
    process.join(30)
    forked = os.fork()
    if forked == 0:
        time.sleep(600)
        os._exit(1)
    os.kill(forked, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])
    return [program.wait(30), limited.returncode, process.exitcode, status]


WAYS = {
    "fork": lambda pin: squares_in_pool("fork"),
    "spawn": lambda pin: squares_in_pool("spawn"),
    "forkserver": lambda pin: squares_in_pool("forkserver"),
    "executor": squares_in_executor,
    "queue": through_queue,
    "manager": through_manager,
    "prints": prints_in_pool,
    "nested": pool_in_a_child,
    "subprocess": in_subprocess,
    "many": many_pools,
    "terminated": terminated,
}


@parallel.message_action("Parallel", request=Way, response=Text)
def run_in_a_way(request, execution):
    return {"text": json.dumps(WAYS[request["way"]](str(request["pin"])))}


def nap(file):
    with open(file, "a") as pids:
        pids.write(f"{os.getpid()}\n")
    time.sleep(600)


@parallel.message_action("Naps in a pool", request=Way, response=Text)
def naps_in_a_pool(request, execution):
    """The first attempt waits for its pool until its worker is killed."""
    if execution.attempt == 1:
        with multiprocessing.Pool(2) as pool:
            pool.map(nap, [request["file"]] * 2, chunksize=1)
    return {"text": str(execution.attempt)}
