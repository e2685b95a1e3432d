"""What the flows ask for while everything breaks: seeded, insistent, and sometimes twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

from atom.sandbox import Connector, Flow, Platform, SandboxError
from tests.chaos.services import note_text

SERVICE = "Chaos"

# How often each is asked for, of a hundred.
MIX = {
    "Quick": 25,
    "Slow": 4,
    "Sleeping": 5,
    "Mapping": 3,
    "Stepping": 22,
    "Faulting": 8,
    "Failing": 5,
    "Flaky": 7,
    "Telling": 6,
    "Prompt": 5,
    "Changing": 7,
    "Mending": 3,
}
_DUPLICATES = 0.1
_PATIENCE_SECONDS = 60
_NO_ANSWER = 502  # what the sandbox makes of a connection that broke


@dataclass(frozen=True, slots=True)
class Sent:
    """A flow that stands at one action, and what it asked for."""

    flow: Flow
    action: str
    value: str
    waits: tuple[int, ...]

    @property
    def token(self) -> str:
        return next(iter(self.flow.calls))

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that a run to the end records."""
        names = [f"step {number}" for number in range(1, len(self.waits) + 1)]
        match self.action:
            case "Stepping" | "Faulting" | "Flaky" | "Changing":
                return tuple(names)
            case "Sleeping":
                return tuple("/sleep/".join(names).split("/"))
            case "Mapping":
                return ("items",)
            case "Mending":
                return ("step 1", "step 2")
        return ()


@dataclass(frozen=True, slots=True)
class SynchronousAnswer:
    """What a data request was answered."""

    operation: str
    id: str
    status: int | None  # None where there was no answer
    is_right: bool
    message: str = ""


class Traffic:
    """Keeps a number of flows in flight, each by a thread, and beside them data requests."""

    def __init__(self, platform: Platform, url: str, seed: int, flows: int, readers: int) -> None:
        self.sent: list[Sent] = []
        self.synchronous: list[SynchronousAnswer] = []
        self.deliberate_duplicates = 0
        self._platform, self._url = platform, f"{url}/fs/{SERVICE}"
        self._lock = threading.Lock()
        self._enough = threading.Event()  # no new flows
        self._hopeless = threading.Event()  # and no more of the old requests either
        self._connector = Connector(platform, self._url)
        self._threads = ThreadPoolExecutor(flows + readers)
        self._begun = [
            self._threads.submit(self._flows, Random(f"{seed}:{number}")) for number in range(flows)
        ] + [
            self._threads.submit(self._requests, Random(f"{seed}:data:{number}"))
            for number in range(readers)
        ]

    def in_flight(self) -> list[Sent]:
        """The flows that are not over."""
        with self._lock:
            sent = list(self.sent)
        return [each for each in sent if not each.flow.status.is_over]

    def stop(self) -> None:
        """Begin nothing new; what was begun is asked for until it is taken."""
        self._enough.set()

    def close(self) -> None:
        """Give up what was not taken yet."""
        self._enough.set()
        self._hopeless.set()
        for each in self._begun:
            each.result()
        self._threads.shutdown()
        self._connector.close()

    def send(self, random: Random, action: str | None = None) -> Sent:
        """Run a flow up to the point where its request was taken."""
        sent = self._compose(random, action)
        is_doubled = random.random() < _DUPLICATES / 2
        double = threading.Thread(target=self._ask, args=(sent,))
        if is_doubled:
            self._count_duplicate()
            double.start()
        pause = 0.1
        while not self._ask(sent) and not self._hopeless.wait(pause * random.uniform(0.5, 1.5)):
            pause = min(1.0, 2 * pause)
        if is_doubled:
            double.join()
        return sent

    def _flows(self, random: Random) -> None:
        while not self._enough.is_set():
            sent = self.send(random)
            if random.random() < _DUPLICATES / 2:
                self._enough.wait(random.uniform(0, 3))
                self._count_duplicate()
                self._ask(sent)
            # Who waits longer makes room for others; the flow is looked at in the end.
            sent.flow.wait_over(_PATIENCE_SECONDS)

    def _compose(self, random: Random, action: str | None) -> Sent:
        action = action or random.choices(list(MIX), list(MIX.values()))[0]
        value = f"{action}-{random.randrange(10**9)}"
        waits = _waits(action, random)
        inputs: dict[str, Any] = {"Value": value, "Waits": ",".join(map(str, waits))}
        if action == "Flaky":
            inputs["Failures"] = random.randint(1, 2)
        flow = self._platform.compose(self._url, [(action, inputs)])
        sent = Sent(flow, action, value, waits)
        with self._lock:
            self.sent.append(sent)
        return sent

    def _ask(self, sent: Sent) -> bool:
        return self._platform.ask(sent.flow, sent.flow.calls[sent.token], insists=True)

    def _count_duplicate(self) -> None:
        with self._lock:
            self.deliberate_duplicates += 1

    def _requests(self, random: Random) -> None:
        while not self._enough.wait(random.uniform(0.05, 0.5)):
            operation, id = random.choice(("get", "save")), f"note-{random.randrange(10**9)}"
            answer = self._note(operation, id)
            with self._lock:
                self.synchronous.append(answer)

    def _note(self, operation: str, id: str) -> SynchronousAnswer:
        try:
            if operation == "get":
                found = self._connector.get("Note", id)
            else:
                (found,) = self._connector.save("Note", [(None, {"ID": id, "Text": "mine"})])
        except SandboxError as error:
            status = None if error.status == _NO_ANSWER else error.status
            return SynchronousAnswer(operation, id, status, is_right=False, message=str(error))
        values = {each["developerName"]: each["contentValue"] for each in found["properties"]}
        is_right = values == {"ID": id, "Text": note_text(id)} and found["externalId"] == id
        return SynchronousAnswer(operation, id, 200, is_right, "" if is_right else repr(found))


def _waits(action: str, random: Random) -> tuple[int, ...]:
    """Milliseconds; some of them are longer than the lease."""
    match action:
        case "Slow":
            return (random.randint(500, 4000),)
        case "Prompt":
            return (random.choice((0, 300, random.randint(700, 1300), 2500)),)
        case "Telling":
            return _several(random, 2, 5, 400)
        case "Stepping":
            waits = list(_several(random, 3, 6, 60))
            if random.random() < 0.25:
                waits[random.randrange(len(waits))] = random.randint(1000, 3500)
            return tuple(waits)
        case "Sleeping":
            return _several(random, 2, 4, 2500)
        case "Changing":
            return _several(random, 2, 5, 600)
        case "Mapping":
            return _several(random, 5, 20, 300)
        case "Faulting" | "Flaky":
            return _several(random, 0, 2, 100)
    return ()


def _several(random: Random, fewest: int, most: int, longest: int) -> tuple[int, ...]:
    return tuple(random.randint(0, longest) for _ in range(random.randint(fewest, most)))
