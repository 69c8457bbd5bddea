import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import * as withYodel from '../../examples/applications/telemetry.ts';
import { temporaryFile } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { start as startProgram } from '../support/process/command.ts';
import * as plain from './plain/telemetry.ts';

const hello = (device: string, token = `secret of ${device}`) => JSON.stringify({ type: 'hello', device, token });
const reading = (number: number, value: number) => JSON.stringify({ type: 'reading', number, value });
const watch = JSON.stringify({ type: 'watch', token: 'dashboard' });

for (const [name, { startTelemetry }] of Object.entries({ yodel: withYodel, 'node:net': plain })) {
  describe(`the telemetry collector with ${name}`, () => {
    async function start({ file = temporaryFile('readings.db', ''), rate = 1_000_000 } = {}) {
      const tokens = new Map(['attic', 'cellar'].map((device) => [device, `secret of ${device}`]));
      const server = await startTelemetry({ listen: 0, file, tokens, dashboardToken: 'dashboard', rate });
      onTestFinished(() => server.close());
      const port = Number(new URL(server.addresses[0] ?? '').port);
      const logIn = async (device: string) => {
        const peer = await dial(port);
        expect(await peer.ask(hello(device))).toBe(`{"welcome":"${device}"}`);
        return peer;
      };
      return { server, file, logIn, connect: () => dial(port) };
    }

    const stored = (file: string) => {
      const database = new DatabaseSync(file);
      const rows = database.prepare('SELECT device, number, value FROM readings ORDER BY device, number').all();
      database.close();
      return rows.map(({ device, number, value }) => [device, number, value]);
    };

    const isClosed = async (peer: Peer) => (await peer.ended).toString();

    test('what is acknowledged is stored', async () => {
      const { file, logIn } = await start();
      const attic = await logIn('attic');
      expect(await attic.ask(reading(1, 20.5))).toBe('{"stored":1}');
      expect(stored(file)).toEqual([['attic', 1, 20.5]]);
    });

    test('many readings at once are acknowledged in their order', async () => {
      const { file, logIn } = await start();
      const [attic, cellar] = [await logIn('attic'), await logIn('cellar')];
      const numbers = Array.from({ length: 500 }, (_, index) => index);
      for (const peer of [attic, cellar]) void peer.send(numbers.map((number) => `${reading(number, 1)}\n`).join(''));
      const acknowledgements = numbers.map((number) => `{"stored":${number}}\n`).join('');
      for (const peer of [attic, cellar]) await peer.saw(/"stored":499}\n/);
      expect(attic.text).toBe(`{"welcome":"attic"}\n${acknowledgements}`);
      expect(cellar.text).toBe(`{"welcome":"cellar"}\n${acknowledgements}`);
      expect(stored(file)).toHaveLength(1000);
    });

    test('a reading that is sent twice is stored once', async () => {
      const { file, logIn } = await start();
      const attic = await logIn('attic');
      for (const value of [3, 4]) expect(await attic.ask(reading(7, value))).toBe('{"stored":7}');
      expect(stored(file)).toEqual([['attic', 7, 3]]);
    });

    test('what is not valid gets an error, and the connection stays', async () => {
      const { logIn } = await start();
      const attic = await logIn('attic');
      for (const text of ['{"type":', '{"type":"reading","number":1}', '{"type":"reading","number":-1,"value":2}']) {
        expect(await attic.ask(text)).toMatch(/^\{"error":"invalid message: .+"\}$/);
      }
      expect(await attic.ask(hello('attic'))).toBe('{"error":"only readings, please"}');
      expect(await attic.ask(reading(1, 2))).toBe('{"stored":1}');
    });

    test('a device without a valid token is refused', async () => {
      const { file, connect } = await start();
      for (const first of [hello('attic', 'guess'), hello('nobody'), reading(1, 2), '{"type":"watch","token":"x"}']) {
        const peer = await connect();
        await peer.send(`${first}\n${reading(1, 2)}\n`);
        expect(await isClosed(peer)).toBe('{"error":"say who you are"}\n');
      }
      expect(stored(file)).toEqual([]);
    });

    test('a device is connected once', async () => {
      const { connect, logIn } = await start();
      const attic = await logIn('attic');
      const second = await connect();
      expect(await second.ask(hello('attic'))).toBe('{"error":"connected already"}');
      attic.end();
      await attic.ended;
      await attic.closed;
      await expect.poll(() => second.ask(hello('attic'))).toBe('{"welcome":"attic"}');
    });

    test('a reading that is too long ends the connection', async () => {
      const { logIn } = await start();
      const attic = await logIn('attic');
      await attic.send('x'.repeat(2000));
      expect(await isClosed(attic)).toMatch(/longer than the limit of 1024 bytes"\}\n$/);
    });

    test('a dashboard gets the latest reading of each device, and then every new one', async () => {
      const { connect, logIn } = await start();
      const [attic, cellar] = [await logIn('attic'), await logIn('cellar')];
      for (const number of [1, 2]) await attic.ask(reading(number, number));
      await cellar.ask(reading(1, 8));
      const dashboard = await connect();
      const [first, second] = [`{"device":"attic","number":2,"value":2}`, `{"device":"cellar","number":1,"value":8}`];
      expect(await dashboard.ask(watch)).toBe(`{"latest":[${first},${second}]}`);
      await attic.ask(reading(3, 3));
      await dashboard.saw(/\n\{"device":"attic","number":3,"value":3\}\n$/);
    });

    test('a device above its rate waits', async () => {
      const { logIn } = await start({ rate: 100 });
      const attic = await logIn('attic');
      let next = 0;
      const durationOf20 = async () => {
        const began = performance.now();
        for (const end = next + 20; next < end; next++) void attic.send(`${reading(next, 1)}\n`);
        await attic.saw(new RegExp(`"stored":${next - 1}}`));
        return performance.now() - began;
      };
      // A rate allows for the time in which the process did not run, as on a busy machine.
      await expect.poll(durationOf20).toBeGreaterThan(150);
    });

    test('a stop stores and acknowledges what has arrived, and a restart knows it', async () => {
      const { server, file, logIn } = await start();
      const attic = await logIn('attic');
      await attic.send([1, 2, 3].map((number) => `${reading(number, 5)}\n`).join(''));
      const closed = server.close();
      expect(await isClosed(attic)).toBe('{"welcome":"attic"}\n{"stored":1}\n{"stored":2}\n{"stored":3}\n');
      attic.end();
      await closed;
      expect(stored(file)).toHaveLength(3);
      const dashboard = await (await start({ file })).connect();
      expect(await dashboard.ask(watch)).toBe('{"latest":[{"device":"attic","number":3,"value":5}]}');
    });

    test('a reading that cannot be stored is not acknowledged, and can be sent again', async () => {
      const { file, logIn } = await start();
      const attic = await logIn('attic');
      const other = new DatabaseSync(file);
      other.exec('BEGIN IMMEDIATE');
      expect(await attic.ask(reading(1, 2))).toBe('{"error":"not stored, send it again","number":1}');
      other.exec('ROLLBACK');
      other.close();
      expect(await attic.ask(reading(1, 2))).toBe('{"stored":1}');
    });
  });
}

test('the example is a program, which stops at SIGTERM', async () => {
  const program = new URL('../../examples/applications/telemetry.ts', import.meta.url).pathname;
  const env = { PORT: '0', FILE: temporaryFile('readings.db', '') };
  const server = startProgram([process.execPath, program], { env });
  const [, port = ''] = await server.saw(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  const peer = await dial(Number(port));
  expect(await peer.ask(hello('attic', 'secret'))).toBe('{"welcome":"attic"}');
  peer.end();
  expect((await server.stop()).status).toBe(0);
});
