"""How soon a listener that is started answers WAIT, over a store that runs already."""

import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import FlowRequest, flow_requests
from benchmarks.http_messages import Message, MessageReader
from benchmarks.load import check_answer
from benchmarks.parts import Parameters, Ratios, Say, median_ratio
from benchmarks.rounds import in_turns
from benchmarks.stacks import STACKS, Launch, Ports, atom, baseline, running

# Stack → what it consists of, and its listener.
_STACKS: Final[Mapping[str, tuple[Callable[[str, Ports], Launch], str]]] = {
    "baseline": (baseline, "gunicorn"),
    "atom": (atom, "listener"),
}
_LIMIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.005
# Nobody calls back: there is no worker.
_NO_PORT: Final = 9


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Stack → seconds until the first WAIT, for each round."""

    rounds: Sequence[Mapping[str, float]]

    def figures(self) -> list[dict[str, Any]]:
        """Each round as it was."""
        return [dict(each) for each in self.rounds]

    def ratios(self) -> Ratios:
        """The median over the rounds of atom / baseline."""
        return {
            "cold_start": median_ratio((each["atom"], each["baseline"]) for each in self.rounds)
        }

    def shown(self) -> Iterable[str]:
        """Medians of the rounds, as a sentence."""
        middles = {name: median(each[name] for each in self.rounds) for name in STACKS}
        yield (
            f"First WAIT {middles['atom']:.2f} s after the start of Atom's listener, "
            f"{middles['baseline']:.2f} s after that of the baseline's gunicorn: "
            f"{self.ratios()['cold_start']:.2f} of it."
        )


def measure_cold(parameters: Parameters, say: Say) -> ColdStart:
    """Start the listener of each stack in each round.

    Raises:
        BenchmarkError: it did not answer WAIT.
    """
    rounds = []
    for number in range(parameters.rounds):
        say(f"Cold start, round {number + 1} of {parameters.rounds} …")
        rounds.append({name: _cold_start(name) for name in in_turns(STACKS, number)})
    return ColdStart(rounds)


def _cold_start(name: str) -> float:
    launch, role = _STACKS[name]

    def nothing_yet(redis_url: str, ports: Ports) -> Launch:
        made = launch(redis_url, ports)
        return Launch(made.environment, {role: made.commands[role]})

    with running(name, _NO_PORT, nothing_yet) as stack:
        # The first start shows that it can be started, and leaves its files in the page cache.
        stack.end_role(role)
        (request,) = flow_requests(1, stack.ports.listener, _NO_PORT)
        begin = time.perf_counter()
        stack.start_role(role, launch(stack.redis_url, stack.ports).commands[role])
        while (answer := _ask(stack.ports.listener, request)) is None:
            stack.check_alive()
            if time.perf_counter() - begin > _LIMIT_SECONDS:
                raise BenchmarkError(f"There was no answer after {_LIMIT_SECONDS:.0f} s.")
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - begin
        check_answer(request, answer)
    return seconds


def _ask(port: int, request: FlowRequest) -> Message | None:
    """The answer, or None where nobody listens yet."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), _LIMIT_SECONDS)
    except ConnectionRefusedError:
        return None
    with connection:
        connection.sendall(request.content)
        reader = MessageReader()
        while data := connection.recv(65_536):
            if messages := reader.feed(data):
                return messages[0]
    raise BenchmarkError("The listener closed a connection instead of answering.")
