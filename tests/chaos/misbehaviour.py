"""How the flow platform misbehaves: a seeded answer to each callback."""

import threading
from collections import Counter
from random import Random

from atom.sandbox import Answer

# What each callback has coming, of a hundred; the rest is answered as it should be.
_CHANCES = {
    "BUSY": 5,
    "500": 4,
    "503 with Retry-After": 2,
    "hangs": 1.5,
    "takes it and hangs": 1.5,
    "drops": 3,
    "takes it and drops": 4,
}
_WELL = "well"
# A token that has suffered this often is left alone: its next try would be due in minutes.
_MOST = 3


class Misbehaviour:
    """Chooses the answers; safe to share between threads."""

    def __init__(self, seed: int, callback_timeout_seconds: float) -> None:
        self.counts: Counter[str] = Counter()
        self._random = Random(f"{seed}:platform")
        self._hang_seconds = 1.5 * callback_timeout_seconds
        self._suffered: Counter[str] = Counter()
        self._is_over = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Answer everything as it should be from now on."""
        self._is_over = True

    def __call__(self, token: str) -> Answer | None:
        names = [*_CHANCES, _WELL]
        weights = [*_CHANCES.values(), 100 - sum(_CHANCES.values())]
        with self._lock:
            name = self._random.choices(names, weights)[0]
            if name == _WELL or self._is_over or self._suffered[token] >= _MOST:
                return None
            self._suffered[token] += 1
            self.counts[name] += 1
        return self._answer(name)

    def _answer(self, name: str) -> Answer:
        takes = name.startswith("takes it")
        match name.removeprefix("takes it and "):
            case "BUSY":
                return Answer("BUSY")
            case "500":
                return Answer(status=500, message="A deliberate error.")
            case "503 with Retry-After":
                return Answer(status=503, headers={"Retry-After": "2"}, message="Later, please.")
            case "hangs":
                return Answer(status=504, takes=takes, hang_seconds=self._hang_seconds)
            case "drops":
                return Answer(takes=takes, drop=True)
        raise ValueError(name)
