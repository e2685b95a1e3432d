"""How long the latest requests took to be accepted, for those who look at the whole Atom."""

import mmap
import os
import struct
import time
from collections.abc import Callable, Mapping
from typing import Final

_SECONDS: Final = 60.0
_SAMPLE: Final = struct.Struct("dd")  # when, and for how many seconds
_PER_PROCESS: Final = 512
_PROCESSES: Final = 16  # more share their places, and then remember less


class Latency:
    """The latest of all processes that were forked after it was made, in memory they share.

    Nothing is locked: a sample that is read while it is written makes one figure wrong for once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples = mmap.mmap(-1, _SAMPLE.size * _PER_PROCESS * _PROCESSES)
        self._count = 0

    def add(self, seconds: float) -> None:
        """Note one that was accepted just now."""
        place = os.getpid() % _PROCESSES * _PER_PROCESS + self._count % _PER_PROCESS
        self._count += 1
        _SAMPLE.pack_into(self._samples, place * _SAMPLE.size, self._clock(), seconds)

    def details(self) -> Mapping[str, str]:
        """The p50 and p99 of the last minute in milliseconds; empty where there was none."""
        since = self._clock() - _SECONDS
        samples = _SAMPLE.iter_unpack(self._samples[:])
        took = sorted(seconds for at, seconds in samples if seconds and at >= since)
        if not took:
            return {}
        return {
            "accept_p50_ms": f"{took[len(took) // 2] * 1000:.1f}",
            "accept_p99_ms": f"{took[int(len(took) * 0.99)] * 1000:.1f}",
        }


LATENCY: Final = Latency()
