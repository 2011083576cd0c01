"""OpenTelemetry traces, if an endpoint is set: a span for each request, one for each stage of its items, and
one for each run of a background loop that did something, failed, or took long.

What a span may hold is said here: method, route, status, request id, size, a loop's name, an error's type. So
there is no automatic instrumentation and no provider for the whole process, and no exception is recorded with
its text.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from nightlamp import __version__
from nightlamp.errors import ConfigError
from nightlamp.settings.sections import TracingSettings

if TYPE_CHECKING:  # only imported where traces are made
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
Watch = Callable[[str, float], None]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOT_TRACED = ("/v1/health/", "/metrics")
_QUEUE = 8_192  # spans: a batch of a thousand items makes three thousand at once
_SECONDS = 5.0  # for one request to the collector, with its repetitions

# The span of the request that is being answered; threads that work for it have it too.
_current: ContextVar[Span | None] = ContextVar("nightlamp-span", default=None)


class Tracing:
    """Makes spans and sends them, in the background.

    Args:
        exporter: where they go.
        ratio: the share of traces that is kept; by trace id, so that services with the same share agree.
    """

    def __init__(self, exporter: SpanExporter, ratio: float = 1.0) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = TracerProvider(
            TraceIdRatioBased(ratio),
            Resource.create({"service.name": "nightlamp", "service.version": __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
        self._tracer = self._provider.get_tracer("nightlamp", __version__)
        self._parent = TraceContextTextMapPropagator()

    def begin(self, scope: Scope) -> Span:
        """The span of a request, within the caller's trace if it names one."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        # Not tracestate and not baggage: they hold whatever the caller likes.
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        parent = self._parent.extract({"traceparent": given.decode("latin-1")}, Context())
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {
            "http.request.method": method,
            "nightlamp.request_id": scope.get("nightlamp.request_id", ""),
        }
        return self._tracer.start_span(method, parent, SpanKind.SERVER, attributes)

    def end(self, span: Span, scope: Scope, status: int, fault: BaseException | None) -> None:
        """What is known of a request when it is answered; ``status`` 0: it was not, here."""
        from opentelemetry.trace import StatusCode

        if span.is_recording():
            method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
            route = getattr(scope.get("route"), "path", "")
            if route:
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
            if status:
                span.set_attribute("http.response.status_code", status)
            span.set_attribute("http.request.body.size", scope.get("nightlamp.received", 0))
            error = fault or scope.get("nightlamp.error")
            if error is not None or status >= 500:
                span.set_attribute("error.type", type(error).__name__ if error else str(status))
                span.set_status(StatusCode.ERROR)
        span.end()

    def follow(self) -> Watch | None:
        """Takes the stages of an item of the request that is being answered; None if it is not traced."""
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        span = _current.get()
        if span is None or not span.is_recording():
            return None
        parent = set_span_in_context(span, Context())

        def stage(name: str, seconds: float) -> None:
            now = time.time_ns()
            self._tracer.start_span(name, parent, start_time=now - int(seconds * 1e9)).end(now)

        return stage

    def loop(self, name: str, seconds: float, error: Exception | None) -> None:
        """A run of a background loop that has just ended; of an error only its type."""
        from opentelemetry.context import Context
        from opentelemetry.trace import StatusCode

        now = time.time_ns()
        span = self._tracer.start_span(
            f"loop {name}",
            Context(),
            attributes={"nightlamp.loop": name},
            start_time=now - int(seconds * 1e9),
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
        span.end(now)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class Traced:
    """ASGI: gives each request its span. Inside ``RequestLog``, which knows the request's id."""

    def __init__(self, app: App, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"].startswith(_NOT_TRACED):
            await self._app(scope, receive, send)
            return
        status, fault = 0, None

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = self._tracing.begin(scope)
        token = _current.set(span)
        try:
            await self._app(scope, receive, answer)
        except ClientDisconnect:
            raise
        except BaseException as error:
            fault = error
            raise
        finally:
            _current.reset(token)
            self._tracing.end(span, scope, status, fault)


def open_tracing(settings: TracingSettings) -> Tracing | None:
    """Traces as the settings want them; None, and nothing imported, without an endpoint.

    Raises:
        ConfigError: the packages are not installed.
    """
    if not settings.endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return Tracing(OTLPSpanExporter(settings.endpoint, timeout=_SECONDS), settings.ratio)
    except ImportError:
        raise ConfigError(
            "traces need packages that are not installed",
            where="tracing.endpoint",
            hint="pip install 'nightlamp[otel]'",
        ) from None
