"""The platform's Run API in the sandbox: flows that a Flow Client starts, follows and joins.

Three flows are there from the start (their ids are in FLOWS below): Hello takes a Name and
returns a Greeting; Approval waits for a while, as for a person's work, then returns Approved;
Vault is Hello behind a log-in (user ada, password lovelace).
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from flask import Flask, Response, request

from atom.protocol.run_api import DONE, RUN_PATH, USERNAME_PASSWORD, WAIT, read_all, written
from atom.redaction import masked
from atom.sandbox.database import SandboxDatabase
from atom.sandbox.documents import answer, asked
from atom.sandbox.problems import SandboxError


@dataclass(frozen=True, kw_only=True)
class RunnableFlow:
    """A flow that can be started from outside."""

    name: str
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """From plain inputs to plain outputs."""
    needs: tuple[str, ...] = ()
    """The inputs without which it does not start."""
    waits: int = 0
    """How often it answers WAIT before it is done."""
    faults: Mapping[str, str] = field(default_factory=dict)
    user: tuple[str, str] | None = None
    """Who may run it; None is everybody."""
    id: str = field(default_factory=lambda: str(uuid4()))


def _greet(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Greeting": f"Hello, {inputs['Name']}!"}


FLOWS: Final = (
    RunnableFlow(
        name="Hello", id="5a7d0000-0000-4000-8000-000000000001", run=_greet, needs=("Name",)
    ),
    RunnableFlow(
        name="Approval",
        id="5a7d0000-0000-4000-8000-000000000002",
        run=lambda inputs: {"Approved": True},
        waits=3,
    ),
    RunnableFlow(
        name="Vault",
        id="5a7d0000-0000-4000-8000-000000000003",
        run=_greet,
        needs=("Name",),
        user=("ada", "lovelace"),
    ),
)


@dataclass
class _State:
    """One run of a flow."""

    flow: RunnableFlow
    wire_inputs: list[Any]
    id: str = field(default_factory=lambda: str(uuid4()))
    token: str = field(default_factory=lambda: str(uuid4()))
    element: str = field(default_factory=lambda: str(uuid4()))
    waited: int = -1  # -1 until it is moved for the first time

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return the plain values by name."""
        return read_all(self.wire_inputs)


class RunApi:
    """The flows that can be run, and where each run stands. Safe to share between threads."""

    def __init__(self, database: SandboxDatabase | None = None) -> None:
        self.url = ""
        self.requests: list[str] = []
        """What was asked for, in order: method and path without ids."""
        self._flows = {each.id: each for each in FLOWS}
        self._states: dict[str, _State] = {}
        self._logins: dict[str, str] = {}  # digest of a token → flow id
        self._database = database
        self._lock = threading.Lock()
        if database is not None:
            self._logins |= database.logins()
            for state_id, kept in database.states().items():
                if flow := self._flows.get(kept.pop("flow")):
                    self._states[state_id] = _State(flow, id=state_id, **kept)

    def add(self, flow: RunnableFlow) -> RunnableFlow:
        """Make a flow known; returns it."""
        with self._lock:
            self._flows[flow.id] = flow
        return flow

    def start(self, document: Mapping[str, Any], authorization: str | None) -> dict[str, Any]:
        """Start a run; or ask who is there."""
        asked = document.get("flowId")
        flow_id = asked.get("id") if isinstance(asked, Mapping) else None
        with self._lock:
            flow = self._flows.get(str(flow_id))
            if flow is None:
                raise SandboxError(f"There is no flow {flow_id}.", 404)
            state = _State(flow, document.get("inputs") or [])
            is_let_in = self._is_let_in(flow, authorization)
            missing = [name for name in flow.needs if state.inputs.get(name) is None]
            if is_let_in and missing:
                raise SandboxError(f"The flow {flow.name} needs the input {missing[0]}.", 400)
            self._states[state.id] = state
            self._save(state)
        if not is_let_in:
            return self._who_is_there(state)
        return {
            "stateId": state.id,
            "stateToken": state.token,
            "currentMapElementId": state.element,
            "statusCode": "200",
            "authorizationContext": None,
        }

    def log_in(self, state_id: str, document: Mapping[str, Any]) -> str:
        """Give a token for the right user name and password."""
        flow = self._state(state_id).flow
        if (document.get("username"), document.get("password")) != flow.user:
            raise SandboxError("User name or password is wrong.", 401)
        token = str(uuid4())
        with self._lock:
            self._logins[_digest(token)] = flow.id
            if self._database is not None:
                self._database.save_login(_digest(token), flow.id)
        return token

    def move(
        self, state_id: str, document: Mapping[str, Any], authorization: str | None
    ) -> dict[str, Any]:
        """Move a run forward."""
        state = self._state(state_id)
        with self._lock:
            if not self._is_let_in(state.flow, authorization):
                raise SandboxError("Log in first.", 401)
            sent = (document.get("stateToken"), document.get("currentMapElementId"))
            if sent != (state.token, state.element) or state.waited >= 0:
                raise SandboxError("The flow does not stand where the request says.", 409)
            state.waited = 0
            self._save(state)
        return self._answer(state)

    def join(self, state_id: str, authorization: str | None) -> dict[str, Any]:
        """Where a run stands; one that waits comes nearer to its end each time it is asked."""
        state = self._state(state_id)
        with self._lock:
            if not self._is_let_in(state.flow, authorization):
                return self._who_is_there(state)
            state.waited += 1
            self._save(state)
        return self._answer(state)

    def _state(self, state_id: str) -> _State:
        with self._lock:
            state = self._states.get(state_id)
        if state is None:
            raise SandboxError(f"There is no state {state_id}.", 404)
        return state

    def _is_let_in(self, flow: RunnableFlow, authorization: str | None) -> bool:
        return flow.user is None or self._logins.get(_digest(authorization or "")) == flow.id

    def _save(self, state: _State) -> None:
        """Keep where a run stands, without its secret inputs."""
        if self._database is not None:
            kept = {name: getattr(state, name) for name in ("token", "element", "waited")}
            kept["wire_inputs"] = masked(state.wire_inputs)
            self._database.save_state(state.id, {"flow": state.flow.id, **kept})

    def _answer(self, state: _State) -> dict[str, Any]:
        flow = state.flow
        is_done = state.waited >= flow.waits
        outputs = flow.run(state.inputs) if is_done and not flow.faults else {}
        return {
            "invokeType": DONE if is_done else WAIT,
            "waitMessage": None if is_done else f"Waiting ({state.waited} of {flow.waits})",
            "stateId": state.id,
            "stateToken": state.token,
            "currentMapElementId": state.element,
            "joinFlowUri": f"{self.url}/play/join/{state.id}",
            "runFlowUri": f"{self.url}/play/{flow.id}",
            "statusCode": "200",
            "outputs": [written(name, value) for name, value in outputs.items()],
            "mapElementInvokeResponses": [
                {
                    "developerName": flow.name,
                    "outcomeResponses": [],
                    "rootFaults": dict(flow.faults) if is_done else {},
                }
            ],
        }

    def _who_is_there(self, state: _State) -> dict[str, Any]:
        return {
            "stateId": state.id,
            "stateToken": None,
            "currentMapElementId": None,
            "statusCode": "401",
            "authorizationContext": {
                "directoryName": "Sandbox",
                "directoryId": "sandbox",
                "loginUrl": f"{self.url}/login",
                "authenticationType": USERNAME_PASSWORD,
            },
        }


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def install(app: Flask, api: RunApi) -> None:
    """Add the Run API to the sandbox's app."""

    @app.post(RUN_PATH)
    def start() -> Response:
        document = _document()
        api.requests.append("start")
        return answer(api.start(document, request.headers.get("Authorization")))

    @app.post(f"{RUN_PATH}/authentication/<state_id>")
    def log_in(state_id: str) -> Response:
        document = _document()
        api.requests.append("log in")
        return answer(api.log_in(state_id, document))

    @app.post(f"{RUN_PATH}/state/<state_id>")
    def move(state_id: str) -> Response:
        document = _document()
        api.requests.append("move")
        return answer(api.move(state_id, document, request.headers.get("Authorization")))

    @app.get(f"{RUN_PATH}/state/<state_id>")
    def join(state_id: str) -> Response:
        api.requests.append("join")
        return answer(api.join(state_id, request.headers.get("Authorization")))


def _document() -> dict[str, Any]:
    if not request.headers.get("ManyWhoTenant"):
        raise SandboxError("The header ManyWhoTenant is missing.", 400)
    return asked()
