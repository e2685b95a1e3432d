"""A stand-in for the flow platform: installs services, runs message actions, takes callbacks."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson

from atom.flow.transport import Reply, Transport, TransportError
from atom.sandbox.answers import Answer
from atom.sandbox.database import SandboxDatabase
from atom.sandbox.flows import Call, Flow
from atom.sandbox.inputs import build_configuration, build_inputs
from atom.sandbox.installations import Installations
from atom.sandbox.problems import SandboxError, problem_of

CALLBACK_PATH: Final = "/api/run/1/response"
# The platform itself gives a synchronous call this long.
_CALL_SECONDS: Final = 60
_KEPT_FLOWS: Final = 10_000
_NOTING_SECONDS: Final = 0.5
_LOST: Final = (
    "{} cannot be read since the sandbox was restarted: it had no ATOM_SECRET_KEY, or has another "
    "one now. Set the service up again, on the console's page or with the options of the command."
)


class Platform:
    """The newest flows, in memory and in a database if there is one. Safe to share."""

    def __init__(
        self, kept_flows: int = _KEPT_FLOWS, database: SandboxDatabase | None = None
    ) -> None:
        self.url = ""
        """Where its callback endpoint is reached; set by the server."""
        self._transport = Transport(read_timeout=_CALL_SECONDS)
        self._installations = Installations(database)
        self._flows: dict[str, Flow] = {}
        self._waiting: dict[str, Flow] = {}  # by the tokens of their calls
        self._kept_flows, self._database = kept_flows, database
        for flow in database.flows() if database else ():
            self._flows[flow.id] = flow
            self._waiting.update(dict.fromkeys(flow.calls, flow))
        self._scripted: list[Answer] = []
        self._choose: Callable[[str], Answer | None] = lambda token: None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    # --- what a client asks for

    def install(self, service_url: str, *, authorization: str | None = None) -> dict[str, Any]:
        """Read a service's metadata, as installing or refreshing its connector does.

        Raises:
            SandboxError: it does not answer, or not with metadata.
        """
        service_url = service_url.rstrip("/")
        headers = {} if authorization is None else {"Authorization": authorization}
        reply = self._post(f"{service_url}/metadata", b"{}", headers)
        if reply.status != 200:
            is_missing = reply.status == 401 and authorization is None
            hint = f" {self._credential_hint(service_url)}" if is_missing else ""
            raise SandboxError(f"{service_url} refused: {problem_of(reply)}{hint}", 502)
        try:
            description: dict[str, Any] = orjson.loads(reply.body)
            _actions(description)
        except (ValueError, KeyError, TypeError):
            raise SandboxError(f"{service_url} does not answer with metadata.", 502) from None
        self._installations.install(
            service_url, description, needs_credential=authorization is not None
        )
        return description

    def _credential_hint(self, service_url: str) -> str:
        if self._installations.get(service_url).has_lost_credential:
            return _LOST.format("The credential that was set")
        return "Give its name and token on the console's page, or in ATOM_CREDENTIAL."

    def remember(self, service_url: str, authorization: str) -> None:
        """Keep what a connector sends as its credential; raises SandboxError."""
        self._installations.remember(service_url.rstrip("/"), authorization)

    def authorization(self, service_url: str) -> str | None:
        """What a connector sends as its credential, where it was told one."""
        return self._installations.get(service_url.rstrip("/")).authorization

    def connections(self) -> list[dict[str, Any]]:
        """Return what is installed: where, with what metadata, and how it was configured.

        `lostCredential` and `lostValues` name what was set before a restart and is not readable
        now: the sandbox had no secret key, or has another one.
        """
        return [
            {
                "url": url,
                "hasCredential": each.authorization is not None,
                "configured": sorted(each.configuration),
                "lostCredential": each.has_lost_credential,
                "lostValues": sorted(each.lost_values),
                "description": each.description,
            }
            for url, each in self._installations.installed().items()
        ]

    def configure(self, service_url: str, values: Mapping[str, str]) -> None:
        """Set configuration values on the connector; they go with each request.

        Values that are not named keep what they are; an empty text removes one. Before the service
        is installed its values are not known, and every name is accepted.

        Raises:
            InputError: the installed service declares no such value.
            SandboxError: the database cannot be written.
        """
        service_url = service_url.rstrip("/")
        description = self._installations.get(service_url).description
        if description is not None:
            build_configuration(description, values)
        self._installations.configure(service_url, values)

    def configuration(
        self, service_url: str, values: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the configuration values of a connector, typed by its installed metadata.

        Args:
            service_url: of the service.
            values: of one flow; they take precedence over those of the connector.

        Raises:
            InputError: a value is unknown, or not of its type's shape.
            SandboxError: a value was set before a restart, and is lost.
        """
        service_url, values = service_url.rstrip("/"), values or {}
        installation = self._installations.get(service_url)
        description = installation.description or {}
        declared = {each["developerName"] for each in description.get("configurationValues") or ()}
        lost = sorted(installation.lost_values & declared - values.keys())
        if lost:
            names = ", ".join(f"“{name}”" for name in lost)
            what = f"Configuration values that were set ({names})"
            raise SandboxError(f"{service_url}: {_LOST.format(what)}", 409)
        # The service may have lost one of them since.
        known = {
            name: text for name, text in installation.configuration.items() if name in declared
        }
        return build_configuration(description, {**known, **values})

    def run(
        self,
        service_url: str,
        action: str,
        inputs: Mapping[str, Any],
        *,
        authorization: str | None = None,
    ) -> Flow:
        """Run a flow whose one step is a message action; returns when it was asked for."""
        flow = self.prepare(service_url, [(action, inputs)], authorization=authorization)
        self.send(flow)
        return flow

    def prepare(
        self,
        service_url: str,
        step: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        authorization: str | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> Flow:
        """Make a flow that stands at a step of message actions, without asking for them yet.

        Raises:
            SandboxError: the service or action is not there.
            InputError: an input or a configuration value does not fit.
        """
        self.install(service_url, authorization=authorization)
        return self.compose(
            service_url, step, authorization=authorization, configuration=configuration
        )

    def compose(
        self,
        service_url: str,
        step: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        authorization: str | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> Flow:
        """As `prepare`, with the metadata that was installed last: the service is not asked."""
        service_url = service_url.rstrip("/")
        description = self._installations.get(service_url).description
        if description is None:
            raise SandboxError(f"{service_url} is not installed.", 404)
        actions = _actions(description)
        flow = Flow(authorization=authorization, database=self._database)
        configured = self.configuration(service_url, configuration)
        for name, inputs in step:
            action = actions.get(name)
            if action is None:
                known = ", ".join(actions) or "none"
                raise SandboxError(f"There is no action “{name}”; there are: {known}.", 404)
            values = build_inputs(description, action, inputs)
            request = self._request(flow, values, configured)
            call = Call(request["token"], f"{service_url}/{action['uriPart']}", name, request)
            flow.calls[call.token] = call
        self._keep(flow)
        return flow

    def _keep(self, flow: Flow) -> None:
        with self._lock:
            while len(self._flows) >= self._kept_flows:
                forgotten = self._flows.pop(next(iter(self._flows)))
                for token in forgotten.calls:
                    del self._waiting[token]
                if self._database:
                    self._database.delete_flow(forgotten.id)
            if self._database:
                self._database.save_flow(flow)
            self._flows[flow.id] = flow
            self._waiting.update(dict.fromkeys(flow.calls, flow))

    def send(self, flow: Flow) -> None:
        """Ask for every action of the flow's step, in parallel; returns when all have answered."""
        threads = [
            threading.Thread(target=self.ask, args=(flow, call), name="sandbox-call")
            for call in flow.calls.values()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask(self, flow: Flow, call: Call, *, insists: bool = False) -> bool:
        """Send the request of one action; whether it was answered with 200.

        A platform that insists does not give the flow up at another answer, or none: its caller
        sends the very same request again, or several at once.
        """
        with flow.changed:
            call.requests += 1
            flow.note("requested", call.token, url=call.url, inputs=call.request["inputs"])
        started = time.monotonic()
        status, message, response = self._answer(flow, call)
        milliseconds = (time.monotonic() - started) * 1000
        with flow.changed:
            if message:
                if not insists:
                    call.is_answered = call.has_failed = True
                flow.note(
                    "refused" if insists else "failed", call.token, status=status, message=message
                )
                return False
            call.is_answered = True
            flow.note(
                "answered",
                call.token,
                milliseconds=milliseconds,
                invokeType=response.get("invokeType"),
                waitMessage=response.get("waitMessage"),
            )
            # Of several requests each may be answered with the outcome; it moves the flow once.
            if response.get("invokeType") == "FORWARD" and not (call.is_over and call.requests > 1):
                self._resume(flow, call, response)
        return True

    def _answer(self, flow: Flow, call: Call) -> tuple[int | None, str, dict[str, Any]]:
        """The status, what is wrong with the answer ('' where nothing is), and the answer."""
        body, headers = orjson.dumps(call.request), _headers(flow)
        flow.record("sent", f"POST {call.url}", headers, body)
        try:
            reply = self._post(call.url, body, headers)
            flow.record("received", str(reply.status), reply.headers, reply.body)
            if reply.status != 200:
                return reply.status, problem_of(reply), {}
            response = orjson.loads(reply.body)
            if not isinstance(response, dict):
                return None, f"{call.url}: the answer is no ServiceResponse.", {}
        except (SandboxError, ValueError) as error:
            return None, str(error), {}
        return 200, "", response

    def resend(self, flow: Flow) -> list[Reply]:
        """Send every request of the step once more, as a platform does that missed an answer."""
        return [
            self._post(call.url, orjson.dumps(call.request), _headers(flow))
            for call in flow.calls.values()
        ]

    def flow(self, flow_id: str) -> Flow:
        """Look a flow up.

        Raises:
            SandboxError: there is none.
        """
        with self._lock:
            flow = self._flows.get(flow_id)
        if flow is None:
            raise SandboxError(f"There is no flow {flow_id}.", 404)
        return flow

    def flows(self) -> list[Flow]:
        """Every flow it still knows, newest first."""
        with self._lock:
            return list(self._flows.values())[::-1]

    def script(self, *answers: Answer) -> None:
        """Answer the next callbacks with these, whatever they are."""
        with self._lock:
            self._scripted.extend(answers)

    def misbehave(self, choose: Callable[[str], Answer | None]) -> None:
        """Ask `choose`, with the token, how each callback is answered; None is as it should be.

        It is called in many threads at once.
        """
        self._choose = choose

    # --- what a Flow Service asks for

    def take_callback(self, tenant: str | None, body: bytes) -> Answer:
        """Take a callback and answer as the platform does."""
        try:
            response = orjson.loads(body)
            token, invoke_type = response["token"], response["invokeType"]
        except (ValueError, KeyError, TypeError):
            return Answer(
                status=400, message="A ServiceResponse with token and invokeType, please."
            )
        with self._lock:
            flow = self._waiting.get(token)
            scripted = self._scripted.pop(0) if flow is not None and self._scripted else None
        if flow is None:
            return Answer(status=404, message="No flow waits for this token.")
        scripted = scripted or self._choose(token)
        with flow.changed:
            call = flow.calls[token]
            # The answer to the request may be read and not noted yet: the platform, too, takes
            # one thing at a time. What overtakes it by more than that is told so.
            flow.changed.wait_for(lambda: call.is_answered, _NOTING_SECONDS)
            answer = self._decide(flow, call, tenant, invoke_type, response)
            given = scripted or answer
            flow.record("received", f"POST {CALLBACK_PATH}", {}, body)
            flow.record("sent", given.described, {}, b"")
            flow.note(
                "callback",
                token,
                invokeType=invoke_type,
                answer=given.described,
                waitMessage=response.get("waitMessage"),
                # Whether two callbacks said the same can be seen without keeping them.
                digest=hashlib.sha256(body).hexdigest()[:16],
            )
            if scripted is None or scripted.takes:
                if answer.invoke_type == "SUCCESS":
                    self._resume(flow, call, response)
                elif answer.invoke_type == "WAIT":
                    flow.note("progress", token, message=response.get("waitMessage"))
        if given.hang_seconds:
            time.sleep(given.hang_seconds)
        return given

    @staticmethod
    def _decide(
        flow: Flow, call: Call, tenant: str | None, invoke_type: str, response: dict[str, Any]
    ) -> Answer:
        if tenant != flow.tenant_id or response.get("tenantId") != flow.tenant_id:
            return Answer("NOT_ALLOWED")
        if call.is_over:
            return Answer("TOKEN_COMPLETED")
        if not call.is_answered:
            return Answer("BUSY")  # it overtook the answer to the request
        return Answer("WAIT" if invoke_type == "WAIT" else "SUCCESS")

    @staticmethod
    def _resume(flow: Flow, call: Call, response: dict[str, Any]) -> None:
        faults = response.get("rootFaults") or {}
        call.is_over, call.has_fault = True, bool(faults or response.get("valueFaults"))
        call.moves += 1
        flow.note(
            "resumed",
            call.token,
            outputs=response.get("outputs") or [],
            rootFaults=faults,
            valueFaults=response.get("valueFaults") or [],
            selectedOutcomeId=response.get("selectedOutcomeId"),
        )

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        try:
            return self._transport.post_json(url, body, headers)
        except TransportError as error:
            raise SandboxError(f"{url}: {error}.", 502) from error

    def _request(
        self, flow: Flow, inputs: list[dict[str, Any]], configuration: list[dict[str, Any]]
    ) -> dict[str, Any]:
        return {
            "token": str(uuid4()),
            "tenantId": flow.tenant_id,
            "stateId": flow.id,
            "callbackUri": f"{self.url}{CALLBACK_PATH}",
            "culture": {"brand": None, "language": "EN", "country": "US", "variant": None},
            "executionMode": None,
            "joinPlayerUri": f"{self.url}/play/join/{flow.id}",
            "playerUri": f"{self.url}/play",
            "uri": None,
            "configurationValues": configuration,
            "authorization": {"globalAuthenticationType": "PUBLIC"},
            "annotations": {},
            "attributes": {},
            "inputs": inputs,
            "outcomes": [{"id": str(uuid4()), "developerName": "Done"}],
        }


def _actions(description: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the message actions by name; raises KeyError or TypeError for other documents."""
    return {each["developerName"]: each for each in description["actions"]}


def _headers(flow: Flow) -> dict[str, str]:
    headers = {"ManyWhoTenant": flow.tenant_id, "ManyWhoState": flow.id}
    if flow.authorization is not None:
        headers["Authorization"] = flow.authorization
    return headers
