"""A connector of the sandbox: data and file requests to one Flow Service, as a flow sends them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson

from atom.flow.transport import Reply, Transport, TransportError
from atom.sandbox.inputs import build_object
from atom.sandbox.messages import Messages
from atom.sandbox.platform import Platform
from atom.sandbox.problems import SandboxError, problem_of

_CALL_SECONDS = 60
_JSON = {"Content-Type": "application/json"}


class Connector:
    """An installed service, seen from a flow. As little as a flow does, it never waits on these."""

    def __init__(
        self,
        platform: Platform,
        service_url: str,
        *,
        tenant_id: str | None = None,
        authorization: str | None = None,
    ) -> None:
        self.service_url = service_url.rstrip("/")
        self.messages = Messages()
        """What went both ways."""
        self.description = platform.install(service_url, authorization=authorization)
        self._platform = platform
        self._tenant_id = tenant_id or str(uuid4())
        self._authorization = authorization
        self._transport = Transport(read_timeout=_CALL_SECONDS)

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def get(self, type_name: str, id: str) -> dict[str, Any] | None:
        """The object of that id, or None. Raises SandboxError, as every method does."""
        found = self._data("POST", "data", type_name, list_filter={"id": id})["objectData"]
        return found[0] if found else None

    def query(self, type_name: str, list_filter: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ObjectDataResponse to a list filter of the wire."""
        return self._data("POST", "data", type_name, list_filter=list_filter)

    def save(
        self, type_name: str, records: Sequence[tuple[str | None, Mapping[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Save records, each an external id (None: create) and its values by property name."""
        objects = [
            build_object(self.description, type_name, values, external_id, order)
            for order, (external_id, values) in enumerate(records)
        ]
        return list(self._data("PUT", "data", type_name, objects=objects)["objectData"])

    def delete(self, type_name: str, ids: Sequence[str]) -> None:
        """Delete records by their external ids."""
        objects = [build_object(self.description, type_name, {}, each) for each in ids]
        self._data("POST", "data/delete", type_name, objects=objects)

    def files(self, path: str, list_filter: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ObjectDataResponse that lists the files of a resource."""
        document = self._file_request(path, list_filter)
        return self._send("POST", "file", orjson.dumps(document), _JSON)

    def upload(
        self, path: str, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> dict[str, Any]:
        """Upload a file; the object it became."""
        body, header = multipart(self._file_request(path, None), name, content, content_type)
        answer = self._send("POST", "file/content", body, {"Content-Type": header})
        return dict(answer["objectData"][0])

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Any request at all, with the headers of a flow."""
        known = {"ManyWhoTenant": self._tenant_id, "ManyWhoState": str(uuid4())}
        if self._authorization is not None:
            known["Authorization"] = self._authorization
        url, headers = f"{self.service_url}/{path}", {**known, **headers}
        self.messages.note("sent", f"{method} {url}", headers, body)
        try:
            reply = self._transport.send(method, url, body, headers)
            self.messages.note("received", str(reply.status), reply.headers, reply.body)
            return reply
        except TransportError as error:
            raise SandboxError(f"{self.service_url}: {error}.", 502) from error

    def data_request(self, type_name: str, **parts: Any) -> dict[str, Any]:
        """An ObjectDataRequest."""
        return {
            "stateId": str(uuid4()),
            "token": None,
            "culture": None,
            "authorization": {"globalAuthenticationType": "PUBLIC"},
            "configurationValues": self._platform.configuration(self.service_url),
            "typeElementBindingId": str(uuid4()),
            "command": None,
            "objectDataType": {"typeElementId": None, "developerName": type_name},
            **parts,
        }

    def _data(
        self,
        method: str,
        path: str,
        type_name: str,
        *,
        objects: Sequence[Mapping[str, Any]] = (),
        list_filter: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        document = self.data_request(type_name, objectData=list(objects), listFilter=list_filter)
        return self._send(method, path, orjson.dumps(document), _JSON)

    def _file_request(self, path: str, list_filter: Mapping[str, Any] | None) -> dict[str, Any]:
        return {
            "stateId": str(uuid4()),
            "serviceElementId": str(uuid4()),
            "token": None,
            "authorization": {"globalAuthenticationType": "PUBLIC"},
            "configurationValues": self._platform.configuration(self.service_url),
            "culture": None,
            "resourcePath": path,
            "resourceFile": None,
            "listFilter": list_filter,
        }

    def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        reply = self.send(method, path, body, headers)
        if reply.status != 200:
            raise SandboxError(problem_of(reply), reply.status)
        return dict(orjson.loads(reply.body))


def multipart(
    request: Mapping[str, Any], name: str, content: bytes, content_type: str
) -> tuple[bytes, str]:
    """The body of an upload and its content type: the JSON part, then the file."""
    boundary = uuid4().hex
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="FileDataRequest"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{orjson.dumps(request).decode()}\r\n"
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="FileData"; filename="{quoted}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return (
        head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )
