// Spans for sessions and their messages, and metrics, with OpenTelemetry. Prints what an exporter would send.
import { context, metrics, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import * as sdk from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { compose, connect, type Middleware, type Subscriber, serve } from 'yodel';

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const metricExporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
const reader = new sdk.PeriodicExportingMetricReader({ exporter: metricExporter });
metrics.setGlobalMeterProvider(new sdk.MeterProvider({ readers: [reader] }));

const tracer = trace.getTracer('my-server');
const duration = metrics.getMeter('my-server').createHistogram('handler.duration', { unit: 's' });
const sessions = new Map<number, Span>();

/** A span for each message, in that of its session. Spans of the handler are in it. */
const spans: Middleware = (message, session, next) => {
  const parent = trace.setSpan(context.active(), sessions.get(session.id) as Span);
  return tracer.startActiveSpan('message', { attributes: { size: message.size } }, parent, async (span) => {
    try {
      return await next();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
};

const events: Subscriber = {
  opened: (session) => sessions.set(session.id, tracer.startSpan('session')),
  handled: (_session, _messages, durationMs) => duration.record(durationMs / 1000),
  closed(session, error) {
    const span = sessions.get(session.id);
    if (error) span?.setAttribute('error.type', error.code);
    span?.end();
    sessions.delete(session.id);
  },
};

const greet = (name: string) => {
  tracer.startSpan('greet').end();
  return `hello ${name}`;
};
const server = await serve({ listen: 0, telemetry: events, handler: compose(spans, ({ text }) => greet(text)) });
const client = await connect(server.addresses[0]);
console.log((await client.request('Ada')).text);
await client.close();
await server.close();
await reader.shutdown();
for (const { name, parentSpanContext } of exporter.getFinishedSpans())
  console.log(parentSpanContext ? `${name} in a span` : name);
const scopes = metricExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
for (const { descriptor, dataPoints } of scopes.flatMap((scope) => scope.metrics))
  console.log(descriptor.name, JSON.stringify(dataPoints[0]?.value));
