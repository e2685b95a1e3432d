"""One caller that waits for each answer: a data action's get, and a bare task of each peer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import dramatiq
import orjson
import urllib3
from celery import Celery
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results.backends import RedisBackend

from benchmarks.errors import BenchmarkError
from benchmarks.stacks import Stack

_WARM_UP: Final = 100
_WAIT_SECONDS: Final = 30.0
_PATH: Final = "/fs/Bench/data"
_TASK: Final = "benchmarks.baseline.app.get_thing"


@dataclass(frozen=True, slots=True)
class RoundTripFigures:
    """How long an answer took its caller."""

    p50_ms: float
    p99_ms: float
    per_second: float


def round_trips(stack: Stack, count: int) -> RoundTripFigures:
    """Ask so many times, one after the other.

    Raises:
        BenchmarkError: an answer did not come, or is wrong.
    """
    ask, close = _ASKERS[stack.name](stack)
    try:
        for number in range(_WARM_UP):
            ask(f"w{number}")
        latencies = []
        begin = time.perf_counter()
        for number in range(count):
            asked_at = time.perf_counter()
            name = ask(f"t{number}")
            latencies.append(time.perf_counter() - asked_at)
            if name != "Lamp":
                raise BenchmarkError(f"A round trip answered {name!r}.")
        per_second = count / (time.perf_counter() - begin)
    finally:
        close()
    cuts = quantiles(latencies, n=100, method="inclusive")
    return RoundTripFigures(cuts[49] * 1000, cuts[98] * 1000, per_second)


_Asker = tuple[Callable[[str], Any], Callable[[], None]]


def _data_action(stack: Stack) -> _Asker:
    """Get by id, over HTTP and through a worker."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1", stack.ports.listener, maxsize=1, retries=False)
    headers = {"Content-Type": "application/json", "ManyWhoTenant": str(uuid4())}

    def ask(id: str) -> Any:
        document: dict[str, Any] = {
            "stateId": str(uuid4()),
            "token": None,
            "authorization": {"globalAuthenticationType": "PUBLIC"},
            "configurationValues": [],
            "objectDataType": {"developerName": "Thing"},
            "objectData": [],
            "listFilter": {"id": id},
        }
        try:
            answer = pool.request(
                "POST", _PATH, body=orjson.dumps(document), headers=headers, timeout=_WAIT_SECONDS
            )
            properties = orjson.loads(answer.data)["objectData"][0]["properties"]
        except (urllib3.exceptions.HTTPError, ValueError, LookupError) as error:
            raise BenchmarkError(f"A get was not answered with an object: {error!r}.") from error
        return next(each["contentValue"] for each in properties if each["developerName"] == "Name")

    return ask, pool.close


def _bare_celery(stack: Stack) -> _Asker:
    """`delay().get()`, on the same kind of Redis."""
    app = Celery("caller", broker=stack.redis_url, backend=stack.redis_url, set_as_current=False)

    def ask(id: str) -> Any:
        try:
            return app.send_task(_TASK, [id]).get(timeout=_WAIT_SECONDS)["Name"]
        except Exception as error:
            raise BenchmarkError(f"A task was not answered: {error!r}.") from error

    return ask, app.close


def _bare_dramatiq(stack: Stack) -> _Asker:
    """Return an asker of an actor with a stored result, on the same kind of Redis."""
    broker, backend = RedisBroker(url=stack.redis_url), RedisBackend(url=stack.redis_url)

    def ask(id: str) -> Any:
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name="default", actor_name="get_thing", args=(id,), kwargs={}, options={}
        )
        try:
            broker.enqueue(message)
            timeout_ms = int(_WAIT_SECONDS * 1000)
            return backend.get_result(message, block=True, timeout=timeout_ms)["Name"]
        except Exception as error:
            raise BenchmarkError(f"An actor did not answer: {error!r}.") from error

    return ask, broker.close


_ASKERS: Final[dict[str, Callable[[Stack], _Asker]]] = {
    "atom": _data_action,
    "baseline": _bare_celery,
    "dramatiq": _bare_dramatiq,
}
