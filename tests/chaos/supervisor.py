"""The Atom under chaos: its roles, the faults done to them, and what a supervisor does about it."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired

from redis import Redis

from atom.names import CALLBACKS as CALLBACKS_QUEUE
from atom.names import PROCESSES
from tests.chaos.schedule import (
    CALLBACKS,
    CUT,
    DEPLOY,
    KILL,
    KILL_CHILD,
    KILL_MAIN,
    LISTENER,
    PAUSE,
    RABBITMQ,
    RECOVERIES,
    REDIS,
    RESTART,
    WORKERS,
    Fault,
)
from tests.chaos.services import VERSION_VARIABLE, VERSIONS
from tests.support.roles import TestAtom

_ROLES = {
    LISTENER: ("listener",),
    **dict.fromkeys(
        WORKERS, ("worker", f"--queues={PROCESSES}", "--pool=prefork", "--concurrency=3")
    ),
    CALLBACKS: ("worker", f"--queues={CALLBACKS_QUEUE}", "--pool=threads"),
    **dict.fromkeys(RECOVERIES, ("recovery",)),
}
_WITNESS = "chaos:witness"
_LOOK_SECONDS = 0.2


class Supervisor:
    """Starts every role, does the faults to them and starts again what was killed or ended."""

    def __init__(self, atom: TestAtom, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()
        """What nobody asked for, though it is no loss: a role that ended by itself."""
        self.lost_writes: list[str] = []
        """What Redis had acknowledged and did not know after it was killed."""
        self._atom, self._random = atom, Random(f"{seed}:supervisor")
        self._began = time.monotonic()
        targets = (*_ROLES, REDIS, *([RABBITMQ] if atom.broker else []))
        self._busy = {target: threading.Lock() for target in targets}
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(len(targets) + 1)
        self._striking: list[Future[None]] = []
        self._versions = dict.fromkeys(_ROLES, 0)
        self._sync_each_write()
        for name in _ROLES:
            self._start(name)

    def begin(self, faults: Sequence[Fault]) -> None:
        """Do the faults at their times; those of one target one after the other.

        One that is late (its target was down) comes at once.
        """
        self._began = time.monotonic()
        per_target: dict[str, list[Fault]] = {target: [] for target in self._busy}
        for fault in faults:
            per_target[fault.target].append(fault)
        self._striking = [self._threads.submit(self._strike, each) for each in per_target.values()]
        self._watching = self._threads.submit(self._watch)

    def end(self) -> None:
        """No more faults; what ends by itself is still started again."""
        for each in self._striking:
            each.result()

    def close(self) -> None:
        """Start nothing any more."""
        self._ended.set()
        self._watching.result()
        self._threads.shutdown()

    def groups(self) -> dict[str, int]:
        """The process group of each role."""
        return {name: process.pid for name, process in self._atom.processes.items()}

    def _strike(self, faults: Sequence[Fault]) -> None:
        doings = {REDIS: self._redis_fault, RABBITMQ: self._rabbitmq_fault}
        for fault in faults:
            time.sleep(max(0.0, self._began + fault.at - time.monotonic()))
            with self._busy[fault.target]:
                if doings.get(fault.target, self._role_fault)(fault):
                    self.counts[fault.described] += 1

    def _role_fault(self, fault: Fault) -> bool:
        name = fault.target
        if name not in self._atom.processes:  # ended by itself a moment ago
            return False
        pid = self._atom.processes[name].pid
        if fault.kind == KILL_CHILD:
            children = children_of(pid)
            if children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._random.choice(children), signal.SIGKILL)
            return bool(children)
        if fault.kind == PAUSE:
            return _pause(lambda number: os.killpg(pid, number), fault.seconds)
        if fault.kind == DEPLOY:
            self._versions[name] = (self._versions[name] + self._random.choice((1, 2))) % VERSIONS
        {
            KILL: self._atom.kill,
            KILL_MAIN: self._atom.kill_main,
            RESTART: self._end_softly,
            DEPLOY: self._end_softly,
        }[fault.kind](name)
        time.sleep(fault.seconds)
        self._start(name)
        return True

    def _start(self, name: str) -> None:
        version = {VERSION_VARIABLE: str(self._versions[name])}
        self._atom.start(name, *_ROLES[name], **version)

    def _end_softly(self, name: str) -> None:
        try:
            code = self._atom.end(name)
        except TimeoutExpired:
            self.remarks[f"{name} did not end within 30 s of SIGTERM and was killed"] += 1
            return
        if code == -signal.SIGTERM:
            self.remarks["a role was still starting when it was asked to end"] += 1
        elif code:
            self.remarks[f"{name} ended with {code} when it was asked to end"] += 1

    def _sync_each_write(self) -> None:
        """Have Redis lose nothing when it is killed, however busy the disk is.

        With `appendfsync everysec`, it holds back writes for up to two seconds during an fsync.
        """
        with Redis.from_url(self._atom.redis.url) as client:
            client.config_set("appendfsync", "always")

    def _redis_fault(self, fault: Fault) -> bool:
        redis = self._atom.redis
        if fault.kind == PAUSE:
            return _pause(redis.process.send_signal, fault.seconds)
        with Redis.from_url(redis.url) as client:
            acknowledged = int(client.incr(_WITNESS))
            client.expire(_WITNESS, 3600)
        if fault.kind == KILL:
            redis.process.kill()
            redis.process.wait()
        redis.stop()
        time.sleep(fault.seconds)
        redis.start()
        self._sync_each_write()
        with Redis.from_url(redis.url) as client:
            known = int(client.get(_WITNESS) or 0)
        if known < acknowledged:
            self.lost_writes.append(f"{acknowledged} was acknowledged, {known} is known")
        return True

    def _rabbitmq_fault(self, fault: Fault) -> bool:
        broker = self._atom.broker
        if fault.kind == PAUSE:
            return _pause(broker.process.send_signal, fault.seconds)
        if fault.kind == CUT:
            broker.control("close_all_connections", "chaos")
            return True
        if fault.kind == KILL:
            broker.kill()
        broker.stop()
        time.sleep(fault.seconds)
        broker.start()
        return True

    def _watch(self) -> None:
        """Start again what ended by itself, as a container runtime does."""
        while not self._ended.wait(_LOOK_SECONDS):
            for name in _ROLES:
                if not self._busy[name].acquire(blocking=False):
                    continue
                try:
                    self._start_if_ended(name)
                finally:
                    self._busy[name].release()

    def _start_if_ended(self, name: str) -> None:
        process = self._atom.processes.get(name)
        if process is None or process.poll() is None:
            return
        self.remarks[f"{name} ended by itself with {process.returncode}"] += 1
        self._atom.kill(name)  # what is left of its group
        self._start(name)


def _pause(send: Callable[[int], None], seconds: float) -> bool:
    try:
        send(signal.SIGSTOP)
        time.sleep(seconds)
        send(signal.SIGCONT)
    except ProcessLookupError:
        return False
    return True


def children_of(pid: int) -> list[int]:
    """The children of a process, in the order of their ids."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            # The name, in parentheses, may hold anything; its state and its parent follow.
            parent = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(path.parent.name))
    return sorted(found)
