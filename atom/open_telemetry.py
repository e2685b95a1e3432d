"""Spans by the OpenTelemetry SDK, for `atom.traces` alone: importing this begins the export.

Where they go and how they are sampled, the standard OTEL_* variables say.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_FLUSH_MILLISECONDS: Final = 5_000
_PROPAGATOR: Final = TraceContextTextMapPropagator()


def _resource() -> Resource:
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: "flow-atom"}))
    return resource


_provider: Final = TracerProvider(resource=_resource())
_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
# For what a process traces itself: its spans are then below ours.
trace.set_tracer_provider(_provider)
_tracer: Final = _provider.get_tracer("atom")


@contextmanager
def span(name: str, kind: str, parent: str, attributes: Mapping[str, str | int]) -> Iterator[str]:
    """See `atom.traces.span`; gives the `traceparent` that continues it."""
    before = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(
        name,
        before,
        SpanKind[kind],
        attributes,
        record_exception=False,
        set_status_on_exception=False,
    ):
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        try:
            yield carrier.get("traceparent", "")
        except Exception as error:
            fail(type(error).__name__)
            raise


def describe(attributes: Mapping[str, str | int]) -> None:
    """See `atom.traces.describe`."""
    trace.get_current_span().set_attributes(attributes)


def fail(kind: str) -> None:
    """See `atom.traces.fail`."""
    current = trace.get_current_span()
    current.set_status(StatusCode.ERROR)
    current.set_attribute("error.type", kind)


def flush() -> None:
    """See `atom.traces.flush`."""
    _provider.force_flush(_FLUSH_MILLISECONDS)
