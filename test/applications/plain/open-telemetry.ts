/** Spans for connections and their messages, and metrics, as in examples/open-telemetry.ts, with node:net. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { context, metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import * as sdk from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { Connection, lines, listen } from './connection.ts';

const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const metricExporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
const reader = new sdk.PeriodicExportingMetricReader({ exporter: metricExporter });
metrics.setGlobalMeterProvider(new sdk.MeterProvider({ readers: [reader] }));

const tracer = trace.getTracer('my-server');
const duration = metrics.getMeter('my-server').createHistogram('handler.duration', { unit: 's' });

const greet = (name: string) => {
  tracer.startSpan('greet').end();
  return `hello ${name}`;
};

function accept(socket: Socket): Connection {
  const session = tracer.startSpan('session');
  const parent = trace.setSpan(context.active(), session);
  return new Connection(socket, {
    framing: lines(),
    formatError: (text) => `error: ${text}`,
    handle(text) {
      const began = performance.now();
      return tracer.startActiveSpan('message', { attributes: { size: Buffer.byteLength(text) } }, parent, (span) => {
        try {
          return greet(text);
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
          throw error;
        } finally {
          span.end();
          duration.record((performance.now() - began) / 1000);
        }
      });
    },
    closed(error) {
      if (error) session.setAttribute('error.type', error.name);
      session.end();
    },
  });
}

const server = createServer({ allowHalfOpen: true });
const { port, close } = await listen(server, { port: 0 }, accept);

const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
await once(socket, 'connect');
const { promise, resolve, reject } = Promise.withResolvers<string>();
const client = new Connection(socket, {
  framing: lines(),
  handle: (text) => void resolve(text),
  closed: (error) => reject(error ?? new Error('the connection was closed')),
});
client.send('Ada');
console.log(await promise);
client.end();
await once(socket, 'close');
await close();
await reader.shutdown();
for (const { name, parentSpanContext } of exporter.getFinishedSpans())
  console.log(parentSpanContext ? `${name} in a span` : name);
const scopes = metricExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
for (const { descriptor, dataPoints } of scopes.flatMap((scope) => scope.metrics))
  console.log(descriptor.name, JSON.stringify(dataPoints[0]?.value));
