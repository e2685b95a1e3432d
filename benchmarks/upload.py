"""What the listener holds in memory while a large file is uploaded."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import orjson
import urllib3

from benchmarks.errors import BenchmarkError
from benchmarks.stacks import Stack

MEBIBYTES: Final = 64
_SAMPLE_SECONDS: Final = 0.01
_WAIT_SECONDS: Final = 60.0
_BLOCK: Final = bytes(2**18)
_BOUNDARY: Final = "the-benchmark-s-boundary"


@dataclass(frozen=True, slots=True)
class UploadFigures:
    """Memory of all the listener's processes in MiB; None where the system does not tell."""

    before_mb: float | None
    during_mb: float | None
    after_mb: float | None


def upload(stack: Stack) -> UploadFigures:
    """Upload 64 MiB and watch.

    Raises:
        BenchmarkError: the process did not read the whole file.
    """
    _send(stack, 1)  # what a first upload loads is not the file's
    before = stack.memory_mb("listener")
    seen: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLE_SECONDS):
            if (now := stack.memory_mb("listener")) is not None:
                seen.append(now)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _send(stack, MEBIBYTES)
    finally:
        done.set()
        watcher.join()
    return UploadFigures(before, max(seen, default=None), stack.memory_mb("listener"))


def _send(stack: Stack, mebibytes: int) -> None:
    head, tail = _frame()
    size = mebibytes * 2**20

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(size // len(_BLOCK)):
            yield _BLOCK
        yield tail

    headers = {
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(len(head) + size + len(tail)),
        "ManyWhoTenant": str(uuid4()),
    }
    url = f"http://127.0.0.1:{stack.ports.listener}/fs/Bench/file/content"
    with urllib3.PoolManager(retries=False) as pool:
        try:
            answer = pool.request("POST", url, body=body(), headers=headers, timeout=_WAIT_SECONDS)
        except urllib3.exceptions.HTTPError as error:
            raise BenchmarkError(f"The upload was not answered: {error}.") from error
    if answer.status != 200 or f'"{size}"'.encode() not in answer.data:
        shown = answer.data[:200].decode(errors="replace")
        raise BenchmarkError(f"The upload was answered {answer.status}: {shown}")


def _frame() -> tuple[bytes, bytes]:
    request: dict[str, Any] = {
        "stateId": str(uuid4()),
        "serviceElementId": str(uuid4()),
        "token": None,
        "authorization": {"globalAuthenticationType": "PUBLIC"},
        "configurationValues": [],
        "resourcePath": "/file",
        "listFilter": None,
    }
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="FileDataRequest"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{orjson.dumps(request).decode()}\r\n"
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="FileData"; filename="large.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()
