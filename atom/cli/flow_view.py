"""A flow of the sandbox, told to a person as it happens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from atom.cli.failed_execution import failed_execution_of
from atom.durations import duration
from atom.protocol.values import ContentType
from atom.redaction import MASK
from atom.sandbox import Event, SandboxClient

Document = dict[str, Any]


def plain(values: Sequence[Mapping[str, Any]] | None) -> Document:
    """EngineValues (or an object's properties) as a plain document; secrets are masked."""
    document: Document = {}
    for value in values or ():
        kind = ContentType(value["contentType"])
        content = value.get("contentValue")
        if kind.is_structure:
            objects = [plain(each["properties"]) for each in value.get("objectData") or ()]
            content = objects if kind is ContentType.LIST else (objects[0] if objects else None)
        elif kind.is_secret and content is not None:
            content = MASK
        document[value["developerName"]] = content
    return document


def show_flow(
    console: Console,
    client: SandboxClient,
    service_url: str,
    action: str,
    inputs: Mapping[str, Any],
    *,
    configuration: Mapping[str, Any] | None = None,
    timeout_seconds: float,
) -> bool:
    """Run an action as a flow would and print each event.

    If the execution failed and its store is known here, its error and traceback follow.

    Returns:
        Whether the flow resumed without a fault.
    """
    well = False
    flow_id = client.start(service_url, action, inputs, configuration)
    for event in client.watch(flow_id, timeout_seconds):
        if event.kind == "resumed":
            well = not _faults(event)
        for line in _told(event):
            console.print(line)
    failure = None if well else failed_execution_of(flow_id)
    if failure is not None:
        state = failure.state.value.replace("_", " ")
        for text in (f"Execution {failure.id} {state}: {failure.error}", failure.traceback):
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    return well


def run_flow(
    client: SandboxClient,
    service_url: str,
    action: str,
    inputs: Mapping[str, Any],
    *,
    configuration: Mapping[str, Any] | None = None,
    timeout_seconds: float,
) -> Document:
    """Run an action as a flow would and return its events as one document.

    Its `failure` is the execution that failed, with its error and traceback; None if it did not
    fail, or if its store is not known here.
    """
    flow_id = client.start(service_url, action, inputs, configuration)
    document: Document = {
        "flowId": flow_id,
        "progress": [],
        "outputs": None,
        "rootFaults": {},
        "valueFaults": [],
    }
    for event in client.watch(flow_id, timeout_seconds):
        match event.kind:
            case "answered":
                document["answer"] = event.details
            case "progress":
                document["progress"].append(event.details["message"])
            case "resumed":
                document["outputs"] = plain(event.details["outputs"])
                document["rootFaults"] = event.details["rootFaults"]
                document["valueFaults"] = event.details["valueFaults"]
            case "failed":
                document["problem"] = event.details["message"]
    document["status"] = client.status(flow_id).value
    failure = None if document["status"] == "done" else failed_execution_of(flow_id)
    document["failure"] = failure and asdict(failure)
    return document


def _told(event: Event) -> Iterator[Any]:
    details, at = event.details, f"[dim]{duration(event.at):>9}[/]"
    match event.kind:
        case "requested":
            yield f"{at}  [bold]POST[/] {escape(details['url'])}"
            yield from _tables(plain(details["inputs"]))
        case "answered":
            message = f": {escape(details['waitMessage'])}" if details["waitMessage"] else ""
            took = f"in {duration(details['milliseconds'] / 1000)}"
            yield f"{at}  [bold yellow]{details['invokeType']}[/] {took}{message}"
        case "progress":
            yield f"{at}  [yellow]…[/] {escape(details['message'] or '')}"
        case "callback" if details["invokeType"] != "WAIT" or details["answer"] != "WAIT":
            yield f"{at}  callback {details['invokeType']}, the flow answers {details['answer']}"
        case "resumed" if faults := _faults(event):
            for name, message in faults:
                yield f"{at}  [bold red]The flow resumed with a fault[/] {escape(name)}: " + escape(
                    message
                )
        case "resumed":
            yield f"{at}  [bold green]The flow resumed[/] with its outputs:"
            yield from _tables(plain(details["outputs"]))
        case "failed":
            status = f" ({details['status']})" if details["status"] else ""
            yield f"{at}  [bold red]Refused[/]{status}: {escape(details['message'])}"


def _faults(event: Event) -> list[tuple[str, str]]:
    """The root faults of a flow that resumed, and those of its values."""
    return [
        *event.details["rootFaults"].items(),
        *((each["faultCode"], each["faultMessage"]) for each in event.details["valueFaults"]),
    ]


def _tables(document: Document) -> Iterator[Table]:
    """The simple values as one table, each object and list as one of its own."""
    simple = {k: v for k, v in document.items() if not isinstance(v, dict | list)}
    if simple:
        yield _table("", [simple])
    for name, content in document.items():
        if isinstance(content, dict):
            yield _table(name, [content])
        elif isinstance(content, list) and content:
            yield _table(name, content)


def _table(title: str, rows: Sequence[Document]) -> Table:
    table = Table(
        title=escape(title) or None, title_justify="left", box=box.ROUNDED, title_style="bold"
    )
    for name in rows[0]:
        table.add_column(escape(name), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{escape(name)}: {_cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "\n".join(_cell(each) for each in value)
    return "–" if value is None else escape(str(value))
