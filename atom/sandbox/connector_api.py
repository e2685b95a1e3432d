"""What connectors do, over the sandbox's own API: install, query, save, delete, list and upload."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from flask import Flask, Response, request

from atom.sandbox.connector import Connector
from atom.sandbox.documents import answer, asked, asked_text
from atom.sandbox.platform import Platform
from atom.sandbox.problems import SandboxError

_MOST_UPLOADED: Final = 64 * 1024 * 1024


def install(app: Flask, platform: Platform) -> None:
    """Add it to the sandbox's app."""

    @app.get("/sandbox/services")
    def services() -> Response:
        return answer(platform.connections())

    @app.post("/sandbox/services")
    def connect() -> Response:
        document = asked()
        url, values = asked_text("url"), document.get("configuration")
        # To configure or refresh a connector needs the credential that it was installed with.
        authorization = document.get("authorization") or platform.authorization(url)
        description = platform.install(url, authorization=authorization)
        if authorization is not None:
            platform.remember(url, authorization)
        if isinstance(values, dict):
            platform.configure(url, {str(name): str(text) for name, text in values.items()})
        return answer(description)

    @app.post("/sandbox/data")
    def data() -> Response:
        document = asked()
        type_name, operation = asked_text("type"), asked_text("operation")

        def send(connector: Connector) -> Any:
            if operation == "query":
                return connector.query(type_name, document.get("listFilter"))
            if operation == "save":
                return connector.save(type_name, _records(document))
            if operation == "delete":
                return connector.delete(type_name, document.get("ids") or [])
            raise SandboxError("“operation” must be query, save or delete.")

        return _ask(platform, asked_text("serviceUrl"), send)

    @app.post("/sandbox/files")
    def files() -> Response:
        path = asked_text("path")
        return _ask(platform, asked_text("serviceUrl"), lambda connector: connector.files(path))

    @app.post("/sandbox/files/content")
    def upload() -> Response:
        request.max_content_length = _MOST_UPLOADED
        about, content = request.args, request.get_data()
        return _ask(
            platform,
            about["serviceUrl"],
            lambda connector: connector.upload(
                about["path"], about["name"], content, about["contentType"]
            ),
        )


def _ask(platform: Platform, service_url: str, send: Callable[[Connector], Any]) -> Response:
    """The answer to what is sent, and the raw messages, those of a refusal too."""
    connector = Connector(platform, service_url, authorization=platform.authorization(service_url))
    problem, found = "", None
    try:
        found = send(connector)
    except SandboxError as error:
        problem = str(error)
    finally:
        connector.close()
    messages = [asdict(each) for each in connector.messages]
    return answer({"answer": found, "problem": problem, "messages": messages})


def _records(document: Mapping[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    try:
        return [(each["id"], dict(each["values"])) for each in document["records"]]
    except (KeyError, TypeError, ValueError):
        raise SandboxError("“records” is a list of objects with “id” and “values”.") from None
