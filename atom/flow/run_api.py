"""The Flow Client connector: starts flows, follows them while they wait, and joins them."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import orjson

from atom.endpoints import is_loopback
from atom.errors import (
    FlowClientError,
    FlowFaulted,
    FlowRefused,
    FlowTimedOut,
    FlowUnreachable,
)
from atom.flow.transport import Reply, Transport, TransportError
from atom.protocol.run_api import (
    RUN_PATH,
    USERNAME_PASSWORD,
    FlowRun,
    asked_for_login,
    authentication_request,
    forward_request,
    read_run,
    start_request,
)
from atom.protocol.wire import sentence
from atom.traces import HEADER, current

_DEFAULT_PLAYER: Final = "default"
_ANSWER_SECONDS: Final = 60.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 5.0
_PASSING: Final = {408, 425, 429, 500, 502, 503, 504}
# What is tried again although it moves a flow: nothing of it has been done.
_NOT_DONE: Final = {429}
_TRIES: Final = 4


class FlowClient:
    """Runs flows of one tenant. Safe to share between threads.

    What may have moved a flow is never sent a second time: a request is repeated where it only
    asks, or where no connection came about.
    """

    def __init__(
        self,
        url: str,
        tenant_id: str,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        """Make one.

        Args:
            url: of the flow platform, such as https://flow.boomi.com.
            tenant_id: whose flows they are.
            username: for flows that are protected.
            password: for that.

        Raises:
            FlowClientError: the URL is none that requests may go to.
        """
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        )
        if not is_safe or not parts.hostname or "@" in parts.netloc:
            raise FlowClientError(
                "The URL of the flow platform must be https (plain http is for loopback hosts "
                "only) and without credentials, such as https://flow.boomi.com."
            )
        self._url, self._tenant_id = url.rstrip("/"), tenant_id
        self._username, self._password = username, password
        self._transport = Transport(read_timeout=_ANSWER_SECONDS)

    def __repr__(self) -> str:
        return f"FlowClient({self._url!r}, {self._tenant_id!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def run(
        self,
        flow_id: str,
        version_id: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        player: str | None = None,
        *,
        wait: bool = True,
        timeout_seconds: float = 300.0,
        return_application_errors: bool = False,
    ) -> FlowRun:
        """Start a flow and move it forward.

        In a process, start it in a step (`wait=False`, keep the `state_id`) and `join` it with
        `wait=True` outside of that: a lost worker then does not start a second run.

        Args:
            flow_id: of the flow.
            version_id: the newest active one where it is None.
            inputs: plain values by name: text, numbers, bool, dates, dicts, lists of dicts.
            player: the player whose URL a person would join with.
            wait: whether to follow the flow while it waits for Flow Services.
            timeout_seconds: how long, at most.
            return_application_errors: whether a refusal or a fault is returned, not raised.

        Raises:
            FlowRefused: the platform does not do it: unknown flow, wrong input, wrong password.
            FlowFaulted: the flow ended with faults.
            FlowTimedOut: it still waits.
            FlowUnreachable: there is no answer; whether the flow moved may be unknown.
            FlowClientError: an input is of a kind that no flow takes.
        """
        end = time.monotonic() + timeout_seconds
        player_url = self._player_url(player)
        try:
            request = start_request(flow_id, version_id, inputs or {}, player_url)
        except ValueError as error:
            raise FlowClientError(f"The input {error}.") from None

        def ask() -> FlowRun:
            started, token = self._start(request)
            state_id = str(started.get("stateId") or "")
            path = f"{RUN_PATH}/state/{quote(state_id, safe='')}"
            answer = self._post(path, forward_request(started), token)
            run = read_run(answer, f"{player_url}?join={state_id}")
            return self._follow(run, end, token, player_url) if wait else run

        return _told(ask, return_application_errors)

    def join(
        self,
        state_id: str,
        *,
        player: str | None = None,
        wait: bool = False,
        timeout_seconds: float = 300.0,
        return_application_errors: bool = False,
    ) -> FlowRun:
        """Ask where a flow stands, without moving it; with `wait`, until it waits no longer.

        Raises as `run` does.
        """
        end = time.monotonic() + timeout_seconds
        player_url = self._player_url(player)

        def ask() -> FlowRun:
            run, token = self._look(state_id, end, None, player_url)
            return self._follow(run, end, token, player_url) if wait else run

        return _told(ask, return_application_errors)

    def _start(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Start a flow, logged in where it asks for that."""
        started = self._post(RUN_PATH, request, None)
        context = asked_for_login(started)
        if context is None:
            return started, None
        token = self._log_in(str(started.get("stateId") or ""), context)
        started = self._post(RUN_PATH, request, token)
        if asked_for_login(started) is not None:
            raise FlowRefused(401, "the flow does not let this user in")
        return started, token

    def _log_in(self, state_id: str, context: Mapping[str, Any]) -> str:
        kind = context.get("authenticationType")
        if kind != USERNAME_PASSWORD:
            raise FlowRefused(401, f"the flow asks for {kind}, which only a person can give")
        if not self._username or self._password is None:
            raise FlowRefused(401, "the flow is protected, but there is no username and password")
        body = authentication_request(context, self._username, self._password)
        path = f"{RUN_PATH}/authentication/{quote(state_id, safe='')}"
        reply = self._send("POST", path, body, None)
        token = _parsed(reply)
        if not isinstance(token, str) or not token:
            raise FlowRefused(401, "the flow gave no token for username and password")
        return token

    def _follow(self, run: FlowRun, end: float, token: str | None, player_url: str) -> FlowRun:
        pause = _FIRST_PAUSE_SECONDS
        while run.is_waiting:
            left = end - time.monotonic()
            if left <= 0:
                raise FlowTimedOut(run.state_id, run.join_url)
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            run, token = self._look(run.state_id, end, token, player_url)
        return run

    def _look(
        self, state_id: str, end: float, token: str | None, player_url: str
    ) -> tuple[FlowRun, str | None]:
        """Ask where a flow stands, again and again while the platform is away, until `end`."""
        path, pause = f"{RUN_PATH}/state/{quote(state_id, safe='')}", _FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = _document(self._send("GET", path, None, token))
                break
            except (FlowUnreachable, FlowRefused) as error:
                is_passing = isinstance(error, FlowUnreachable) or error.status in _PASSING
                if not is_passing or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        context = asked_for_login(answer)
        if context is not None:
            if token is not None:
                raise FlowRefused(401, "the flow does not let this user in")
            return self._look(state_id, end, self._log_in(state_id, context), player_url)
        return read_run(answer, f"{player_url}?join={state_id}"), token

    def _post(self, path: str, document: Mapping[str, Any], token: str | None) -> dict[str, Any]:
        return _document(self._send("POST", path, document, token))

    def _send(
        self, method: str, path: str, document: Mapping[str, Any] | None, token: str | None
    ) -> Reply:
        """Send a request, once more only where nothing of it can have been done.

        Raises:
            FlowUnreachable: there is no answer.
            FlowRefused: it is another one than 2xx.
        """
        headers = {"ManyWhoTenant": self._tenant_id, "Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = token
        if trace := current():
            headers[HEADER] = trace
        body, pause = orjson.dumps(document) if document else b"", _FIRST_PAUSE_SECONDS
        for attempt in range(1, _TRIES + 1):
            try:
                reply = self._transport.send(method, self._url + path, body, headers)
            except TransportError as error:
                if error.was_sent or attempt == _TRIES:
                    raise FlowUnreachable(self._url, str(error)) from error
            else:
                if 200 <= reply.status < 300:
                    return reply
                if reply.status not in _NOT_DONE or attempt == _TRIES:
                    raise FlowRefused(reply.status, _reason(reply))
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _player_url(self, player: str | None) -> str:
        tenant = quote(self._tenant_id, safe="")
        return f"{self._url}/{tenant}/play/{quote(player or _DEFAULT_PLAYER, safe='')}"


def _told(ask: Callable[[], FlowRun], return_application_errors: bool) -> FlowRun:
    """Errors of the application as exceptions, or as what is returned."""
    try:
        run = ask()
    except FlowRefused as refused:
        if not return_application_errors:
            raise
        return FlowRun(
            state_id="",
            invoke_type="",
            outputs={},
            join_url="",
            status_code=refused.status,
            error=refused.reason,
        )
    if run.root_faults and not return_application_errors:
        raise FlowFaulted(run.state_id, tuple(run.root_faults.items()))
    return run


def _parsed(reply: Reply) -> Any:
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        raise FlowRefused(reply.status, "the answer is no JSON") from None


def _document(reply: Reply) -> dict[str, Any]:
    answer = _parsed(reply)
    if not isinstance(answer, dict):
        raise FlowRefused(reply.status, "the answer is no JSON object")
    return answer


def _reason(reply: Reply) -> str:
    """What the platform says of its refusal, as one sentence."""
    if 300 <= reply.status < 400:
        return "it answers with a redirect, which is not followed; correct the URL"
    try:
        said = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        said = None
    text = said.get("message") if isinstance(said, dict) else said
    return sentence(text).rstrip(".") if isinstance(text, str) and text else "it does not say why"
