/** The metrics of servers in a program's own registry, whichever copy of prom-client that is from. */
import * as newer from 'prom-client';
import * as older from 'prom-client-14';
import { describe, expect, it, onTestFinished } from 'vitest';
import { registerMetrics } from '../../src/metrics/register.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { Harness } from '../session/harness.ts';

/** The values in a text of Prometheus, by name and labels. */
async function valuesOf(registry: { metrics(): Promise<string> }): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
}

/** A server that has answered three messages, the last of them after 3 ms. */
async function usedServer(): Promise<Harness> {
  const harness = await Harness.open({
    handler: async (message) => {
      if (message.text === 'slow') await new Promise<void>((resolve) => harness.clock.after(3, resolve));
      return message;
    },
  });
  return harness;
}

async function use(harness: Harness): Promise<void> {
  const peer = await harness.connect();
  await peer.says('a\nb\n');
  await peer.says('slow\n');
  await harness.passes(3);
}

const versions = [
  ['14', older],
  ['15', newer],
] as const;

describe.each(versions)('a registry of prom-client %s', (_, client) => {
  it('has the metrics of a server beside its own', async () => {
    const registry = new client.Registry();
    new client.Gauge({ name: 'app_users', help: 'Users.', registers: [registry as never] }).set(7);
    const harness = await usedServer();
    const unregister = registerMetrics(harness.server, { registry });
    await use(harness);
    const values = await valuesOf(registry);
    expect(values).toMatchObject({
      app_users: 7,
      yodel_connections_accepted_total: 1,
      yodel_connections_open: 1,
      yodel_messages_received_total: 3,
      yodel_messages_sent_total: 3,
      yodel_bytes_sent_total: 9,
      yodel_handler_seconds_count: 3,
      yodel_handler_seconds_sum: 0.003,
      'yodel_handler_seconds_bucket{le="0.00001"}': 2,
      'yodel_handler_seconds_bucket{le="0.001"}': 2,
      'yodel_handler_seconds_bucket{le="0.005"}': 3,
      'yodel_handler_seconds_bucket{le="+Inf"}': 3,
    });
    unregister();
    unregister();
    expect(await valuesOf(registry)).toEqual({ app_users: 7 });
  });

  it('has several servers, each with its labels, and loses one at a time', async () => {
    const registry = new client.Registry();
    registry.setDefaultLabels({ app: 'shop' });
    const [first, second] = [await usedServer(), await usedServer()];
    const unregister = registerMetrics(first.server, { registry, labels: { server: 'public', port: 1 } });
    registerMetrics(second.server, { registry, labels: { server: 'private' } });
    await use(first);
    const values = await valuesOf(registry);
    expect(values['yodel_messages_sent_total{server="public",port="1",app="shop"}']).toBe(3);
    expect(values['yodel_messages_sent_total{server="private",app="shop"}']).toBe(0);
    expect(values['yodel_handler_seconds_bucket{server="public",port="1",le="+Inf",app="shop"}']).toBe(3);
    const text = await registry.metrics();
    expect(text.match(/^# TYPE yodel_messages_sent_total counter$/gm)).toHaveLength(1);
    unregister();
    const names = Object.keys(await valuesOf(registry)).filter((name) => name.startsWith('yodel_'));
    expect(names.filter((name) => name.includes('public'))).toEqual([]);
    expect(names.filter((name) => name.includes('private')).length).toBeGreaterThan(20);
  });

  it('gives its values as JSON, one by one, and merged over processes', async () => {
    const registry = new client.Registry();
    const harness = await usedServer();
    registerMetrics(harness.server, { registry });
    await use(harness);
    expect(await registry.getSingleMetricAsString('yodel_messages_sent_total')).toMatch(
      /^yodel_messages_sent_total 3$/m,
    );
    const json = await registry.getMetricsAsJSON();
    expect(json.find(({ name }) => name === 'yodel_messages_sent_total')).toMatchObject({ type: 'counter' });
    const merged = client.AggregatorRegistry.aggregate([json, json] as never);
    expect((await valuesOf(merged)).yodel_messages_sent_total).toBe(6);
    registry.resetMetrics();
    expect((await valuesOf(registry)).yodel_messages_sent_total).toBe(3);
  });

  it('refuses names that it has, and then keeps nothing', async () => {
    const registry = new client.Registry();
    new client.Gauge({ name: 'yodel_rooms', help: 'Others.', registers: [registry as never] });
    const { server } = await Harness.open();
    const call = () => registerMetrics(server, { registry });
    expect(call).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_OPTION' }));
    expect(call).toThrow(/yodel_rooms has already been registered\.; use another "prefix"/);
    expect(await valuesOf(registry)).toEqual({ yodel_rooms: 0 });
    registerMetrics(server, { registry, prefix: 'my_yodel_' });
    expect((await valuesOf(registry)).my_yodel_rooms).toBe(0);
  });

  it('may be cleared: what is registered later is there', async () => {
    const registry = new client.Registry();
    const { server } = await Harness.open();
    const end = registerMetrics(server, { registry });
    registry.clear();
    registerMetrics(server, { registry, labels: { server: 'again' } });
    end();
    expect((await valuesOf(registry))['yodel_rooms{server="again"}']).toBe(0);
  });
});

it('a registry in the format of OpenMetrics has counters by their names there', async () => {
  const registry = new newer.Registry();
  registry.setContentType(newer.Registry.OPENMETRICS_CONTENT_TYPE as never);
  const { server } = await Harness.open();
  const unregister = registerMetrics(server, { registry });
  for (let reading = 0; reading < 2; reading++) {
    expect(await registry.metrics()).toMatch(/^# TYPE yodel_messages_sent counter\nyodel_messages_sent_total 0$/m);
  }
  unregister();
  expect(await valuesOf(registry)).toEqual({});
});

it('nothing is measured once the metrics are removed', async () => {
  const registry = new newer.Registry();
  const { server } = await Harness.open();
  const subscribed: boolean[] = [];
  const measured = {
    ...{ counters: server.counters, maxConnections: 1, pendingBytes: 0, sessions: server.sessions },
    subscribe: () => {
      subscribed.push(true);
      return () => void subscribed.push(false);
    },
  };
  registerMetrics(measured, { registry })();
  expect(subscribed).toEqual([true, false]);
});

describe('is refused', () => {
  it.each([
    ['what is no registry', { registry: {} }, /the option "registry" takes a registry of prom-client/],
    ['an unknown option', { label: {} }, /registerMetrics\(\) has no option "label"\. Did you mean "labels"\?/],
    ['a prefix that is none', { prefix: '1-' }, /the option "prefix" takes letters/],
    ['a label of a metric', { labels: { le: 1 } }, /the option "labels" takes names/],
    ['a label that is none', { labels: { 'a-b': 1 } }, /the option "labels" takes names/],
  ])('%s', async (_, options, message) => {
    const { server } = await Harness.open();
    const call = () => registerMetrics(server, { registry: new newer.Registry(), ...options } as never);
    expect(call).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: expect.stringMatching(message) }),
    );
  });

  it('what is no server, and the registry stays as it was', async () => {
    const registry = new newer.Registry();
    for (const [server, kind] of [
      [undefined, 'undefined'],
      [{}, 'an object'],
      [Promise.resolve(), 'a promise: await it first'],
    ]) {
      const call = () => registerMetrics(server as never, { registry });
      expect(call).toThrow(`registerMetrics() takes what serve() resolves to, not ${kind}`);
    }
    const { server } = await Harness.open();
    expect(() => registerMetrics(server, undefined as never)).toThrow('registerMetrics() takes an object of options');
    expect(await registry.metrics()).toBe('\n');
  });

  it('a second server with the same labels', async () => {
    const registry = new newer.Registry();
    const { server } = await Harness.open();
    const end = registerMetrics(server, { registry, labels: { a: 1, b: 2 } });
    const again = () => registerMetrics(server, { registry, labels: { b: '2', a: '1' } });
    expect(again).toThrow(/another server has the same labels/);
    end();
    again();
  });
});

it('yodel serve --metrics has the same metrics, beside those of the process', async () => {
  const harness = await usedServer();
  const registry = new newer.Registry();
  registerMetrics(harness.server, { registry });
  const own = createMetrics(
    () => harness.server,
    () => undefined,
  );
  onTestFinished(harness.server.subscribe(own.subscriber));
  await use(harness);
  const ofYodel = (text: string) => text.split('\n').filter((line) => line.includes('yodel_'));
  expect(ofYodel(await own.text())).toEqual(ofYodel(await registry.metrics()));
  expect(await own.text()).toMatch(/^process_cpu_seconds_total /m);
});
