import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { YodelError } from '../../src/errors.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Batch } from '../../src/framing/message.ts';
import { websocket } from '../../src/framing/websocket.ts';
import { LineWriter } from '../../src/log/line-writer.ts';
import { lineFormat, sessionLog } from '../../src/log/log.ts';
import type { LogFormat } from '../../src/log/options.ts';
import type { SessionView, Subscriber } from '../../src/telemetry/telemetry.ts';

function sessionOf(id: number, host = '127.0.0.1'): SessionView {
  return {
    id,
    peer: new TcpAddress(host, 50_000 + id),
    durationMs: 1000,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    endedBy: 'peer',
    roomsJoined: 0,
  } as SessionView;
}

function batchOf(text: string | Uint8Array, maxMessageLength = 16_777_216): Batch {
  const decoder = lines().createDecoder({ maxMessageLength, encoding: 'binary', onTooLong: 'close' });
  return decoder.decode(Buffer.from(text as string)) as Batch;
}

/** Runs a log, and returns its lines. */
async function logged(
  format: LogFormat,
  run: (log: Required<Subscriber>) => void | Promise<void>,
  rate = 20_000,
): Promise<string[]> {
  let text = '';
  const open = ({ written }: { written: (bytes: number) => void }) => ({
    write(bytes: Uint8Array) {
      text += Buffer.from(bytes).toString();
      written(bytes.length);
    },
  });
  const options = { format, level: 'info' as const, messages: true, rate, paint: (_: string, part: string) => part };
  const formatted = lineFormat(options);
  const output = new LineWriter({ open, isReopenable: true }, { droppedLine: formatted.dropped });
  const log = sessionLog(options, formatted, output);
  await run(log.subscriber as Required<Subscriber>);
  log.close();
  await output.close(1000);
  return text.split('\n').slice(0, -1);
}

function collectGarbage(): void {
  if (process.versions.bun !== undefined)
    return (globalThis as { Bun?: { gc(isForced: boolean): void } }).Bun?.gc(true);
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** The number of messages that lines of text stand for. */
function messagesIn(all: readonly string[]): number {
  const counts = all.map((line) =>
    Number(/… ([\d,]+) more messages? not logged$/.exec(line)?.[1]?.replaceAll(',', '') ?? 1),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

test('64 KiB of empty lines cost a bounded number of lines, and one that counts the rest', async () => {
  const all = await logged('text', (log) => log.received(sessionOf(1), batchOf('\n'.repeat(65_536))));
  expect(all.length).toBeLessThan(3000);
  expect(all[0]).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d 127\.0\.0\.1:50001#1 0 B $/);
  expect(all.at(-1)).toMatch(/^\S+ 127\.0\.0\.1:50001#1 … 6\d,\d\d\d more messages not logged$/);
  expect(messagesIn(all)).toBe(65_536);
});

test('as JSON, the line that counts the rest is an object', async () => {
  const all = await logged('json', (log) => log.received(sessionOf(1), batchOf('\n'.repeat(65_536))));
  const objects = all.map((line) => JSON.parse(line) as { event: string; lines?: number });
  const messages = objects.filter(({ event }) => event === 'message');
  expect(objects.filter(({ event }) => event !== 'message')).toEqual([
    {
      level: 'warn',
      time: expect.any(String),
      event: 'left-out',
      of: 'message',
      session: 1,
      peer: '127.0.0.1:50001',
      lines: 65_536 - messages.length,
      reason: 'rate',
    },
  ]);
});

test('what was left out of a session precedes its last line, and other lines are not affected', async () => {
  const all = await logged('text', (log) => {
    for (const id of [1, 2]) log.opened(sessionOf(id));
    for (let turn = 0; turn < 10; turn++) log.received(sessionOf(1), batchOf('x\n'.repeat(10_000)));
    const innocent = sessionOf(2);
    log.received(innocent, batchOf('hello\n'));
    log.closed(innocent, undefined);
  });
  expect(all.filter((line) => line.includes('#2')).map((line) => line.split('#2 ')[1])).toEqual([
    'connected',
    '5 B hello',
    expect.stringMatching(/^closed after 1 s/),
  ]);
  const session = sessionOf(1);
  const flood = await logged('text', (log) => {
    log.received(session, batchOf('x\n'.repeat(10_000)));
    log.closed(session, undefined);
  });
  expect(flood.at(-2)).toMatch(/more messages not logged$/);
  expect(flood.at(-1)).toMatch(/closed after/);
  expect(messagesIn(flood.slice(0, -1))).toBe(10_000);
});

test('a session that has ended is not kept by the log, also if its last line was one too many', async () => {
  const sessions: WeakRef<SessionView>[] = [];
  const serve = (log: Required<Subscriber>, id: number) => {
    const session = sessionOf(id);
    sessions.push(new WeakRef(session));
    log.received(session, batchOf('x\n'.repeat(100)));
    log.closed(session, undefined);
  };
  await logged('text', async (log) => {
    for (let id = 1; id <= 3000; id++) serve(log, id);
    // A reference is not cleared in the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(sessions.filter((session) => session.deref() !== undefined).length).toBeLessThan(300);
  });
});

test('two thousand messages at once are all logged, and with rate 0 all of any number', async () => {
  const few = await logged('json', (log) => log.received(sessionOf(1), batchOf('hello\n'.repeat(1300))));
  expect(few).toHaveLength(1300);
  const many = await logged('text', (log) => log.received(sessionOf(1), batchOf('\n'.repeat(65_536))), 0);
  expect(many).toHaveLength(65_536);
});

test('rooms are in the log, and what their members missed is a warning', async () => {
  const run = (log: Required<Subscriber>) => {
    log.roomJoined(sessionOf(1), 'tea \u202e"');
    log.missed(sessionOf(1), 'tea', 12);
    log.roomLeft(sessionOf(1), 'tea');
    log.closed({ ...sessionOf(1), roomsJoined: 2 }, undefined);
  };
  const text = (await logged('text', run)).map((line) => line.replace(/^\S+ \S+ /, ''));
  expect(text).toEqual([
    String.raw`joined room "tea \u202e\""`,
    'missed 12 messages of room "tea"',
    'left room "tea"',
    'closed after 1 s, 0 messages (0 B) in, 0 (0 B) out, 2 rooms joined: the peer ended it',
  ]);
  const json = (await logged('json', run)).map((line) => JSON.parse(line) as object);
  expect(json).toEqual([
    expect.objectContaining({ level: 'info', event: 'room-joined', session: 1, room: 'tea \u202e"' }),
    expect.objectContaining({ level: 'warn', event: 'missed', session: 1, room: 'tea', messages: 12 }),
    expect.objectContaining({ level: 'info', event: 'room-left', session: 1, room: 'tea' }),
    expect.objectContaining({ level: 'info', event: 'closed', roomsJoined: 2 }),
  ]);
  const flood = await logged('text', (log) => {
    for (let count = 0; count < 5000; count++) log.missed(sessionOf(count), 'tea', 1);
  });
  expect(flood.length).toBeLessThan(1100);
  expect(flood.at(-1)).toMatch(/… [\d,]+ more members that missed messages not logged$/);
});

test('events of one kind from one host are limited, and counted in one line; other hosts and kinds are not affected', async () => {
  const full = new YodelError('YODEL_TOO_MANY_CONNECTIONS', 'the server is full');
  const failed = new YodelError('YODEL_HANDLER_FAILED', 'failed', { cause: new Error('oops') });
  const undeliverable = new YodelError('YODEL_UNENCODABLE_MESSAGE', 'no');
  for (const format of ['text', 'json'] as const) {
    const all = await logged(format, (log) => {
      for (let count = 0; count < 5000; count++) {
        log.refused(new TcpAddress('10.0.0.1', count), full);
        log.undelivered(sessionOf(count, '10.0.0.3'), undeliverable, 1);
        log.handlerFailed?.(sessionOf(count, '10.0.0.3'), failed);
      }
      log.refused(new TcpAddress('10.0.0.2', 7), full);
    });
    const missing = all.filter((line) => /… [\d,]+ more|"left-out"/.test(line));
    expect(missing.length).toBe(format === 'text' ? 2 : 3);
    for (const [host, what] of [
      ['10.0.0.1', 'refused'],
      ['10.0.0.3', 'undelivered'],
    ] as const) {
      const line = missing.find((one) => one.includes(host) && one.includes(what)) ?? '';
      const count = Number(/(?:… |"lines":)([\d,]+)/.exec(line)?.[1]?.replaceAll(',', ''));
      const own = all.filter(
        (one) => one.includes(`${host}:`) && /refused: |not delivered: |"event":"(?:refused|undelivered)"/.test(one),
      );
      expect(own.length).toBeLessThanOrEqual(1000);
      expect(own.length + count).toBe(5000);
    }
    expect(all.some((line) => line.includes('10.0.0.2:7'))).toBe(true);
  }
});

test('long values are cut before they are escaped: of a message of 4 MiB of control characters, a line has 64 KiB', async () => {
  const text = '\u0080'.repeat(2 * 1_048_576);
  const [json = ''] = await logged('json', (log) => log.received(sessionOf(1), batchOf(`${text}\n`)));
  expect(JSON.parse(json)).toMatchObject({ bytes: 4 * 1_048_576, text: text.slice(0, 32_768), truncated: true });
  expect(json.length).toBeLessThan(400_000);
  const [plain = ''] = await logged('text', (log) => log.received(sessionOf(1), batchOf(`${text}\n`)));
  expect(plain).toMatch(/ 4194304 B (?:\\x80){512} … 4193280 B more$/);
  const [binary = ''] = await logged('json', (log) =>
    log.received(sessionOf(1), batchOf(Buffer.alloc(100_001, 0xff).fill(10, 100_000))),
  );
  expect(JSON.parse(binary)).toMatchObject({
    bytes: 100_000,
    base64: Buffer.alloc(65_536, 0xff).toString('base64'),
    truncated: true,
  });
});

test('a message of the default limit is logged as JSON with all of its bytes', async () => {
  const [json = ''] = await logged('json', (log) => log.received(sessionOf(1), batchOf(`${'x'.repeat(65_536)}\n`)));
  expect(JSON.parse(json)).toMatchObject({ bytes: 65_536, text: 'x'.repeat(65_536) });
  expect(json).not.toContain('truncated');
});

test('errors are cut as well, whatever they repeat', async () => {
  const long = '\u202e'.repeat(1_000_000);
  for (const format of ['text', 'json'] as const) {
    const all = await logged(format, (log) => {
      log.closed(sessionOf(1), new YodelError('YODEL_UPSTREAM_FAILED', long, { cause: new Error(long) }));
      log.refused(undefined, new YodelError('YODEL_HANDSHAKE_TIMEOUT' as 'YODEL_TLS', long));
      log.handlerFailed?.(sessionOf(1), new YodelError('YODEL_HANDLER_FAILED', 'x', { cause: new Error(long) }));
    });
    for (const line of all) expect(line.length).toBeLessThan(20_000);
    expect(all.join()).toContain('characters more');
  }
});

test('an own error of the program is logged with its code, message and cause', async () => {
  const error = new YodelError('APP_DENIED', 'ada may not write', { cause: new Error('row 12'), reply: 'no' });
  const run = (log: Subscriber) => {
    log.closed?.(sessionOf(1), error);
    log.handlerFailed?.(sessionOf(2), error);
  };
  const [closed] = await logged('text', run);
  expect(closed).toMatch(/: APP_DENIED: ada may not write: row 12$/);
  const [closedJson = '', failedJson = ''] = await logged('json', run);
  expect(JSON.parse(closedJson)).toMatchObject({
    event: 'closed',
    reason: 'APP_DENIED',
    code: 'APP_DENIED',
    error: 'ada may not write: row 12',
  });
  expect(JSON.parse(failedJson)).toMatchObject({ event: 'handler-failed' });
  expect(JSON.parse(failedJson).error).toContain('ada may not write');
});

test('a connection that was reset without a byte, or ended after the handshake of a WebSocket, is no warning: a health check', async () => {
  const protocol = { framing: lines(), greeting: 0 };
  const broken = new YodelError(
    'YODEL_NETWORK',
    'connection broken: the peer ended the connection without a close frame',
  );
  const reset = new YodelError('YODEL_CONNECTION_RESET', 'connection broken: the peer reset the connection');
  const sessions: [what: object, level: string, error?: YodelError][] = [
    [{}, 'info'],
    [{}, 'warn', broken],
    [{ messagesSent: 1 }, 'info'],
    [{ messagesSent: 2 }, 'warn'],
    [{ messagesSent: 2, protocol: { ...protocol, greeting: 2 } }, 'info'],
    [{ bytesReceived: 1 }, 'warn'],
    [{ framing: websocket }, 'info'],
    [{ framing: websocket }, 'info', broken],
    [{ framing: websocket, bytesReceived: 1 }, 'warn', broken],
  ];
  for (const [what, level, error = reset] of sessions) {
    const session = { ...sessionOf(1), protocol, framing: protocol.framing, ...what } as unknown as SessionView;
    const [line = ''] = await logged('json', (log) => log.closed(session, error));
    expect(JSON.parse(line), JSON.stringify(what)).toMatchObject({ level, event: 'closed', code: error.code });
  }
});

test('with the level "warn" a log has no health checks', async () => {
  const reset = new YodelError('YODEL_CONNECTION_RESET', 'reset');
  const protocol = { framing: lines() };
  const session = { ...sessionOf(1), protocol, framing: protocol.framing } as unknown as SessionView;
  const told: string[] = [];
  const format = lineFormat({ format: 'json', level: 'warn', paint: (_, part) => part });
  const output = { isOpen: true, write: (line: string) => told.push(line) } as unknown as LineWriter;
  const options = {
    format: 'json',
    level: 'warn',
    messages: true,
    rate: 0,
    paint: (_: string, part: string) => part,
  } as const;
  const { subscriber } = sessionLog(options, format, output);
  subscriber.closed?.(session, reset);
  subscriber.refused?.(undefined, reset);
  expect(subscriber.left).toBe(undefined);
  expect(told).toEqual([]);
  subscriber.refused?.(session.peer, reset);
  expect(told).toHaveLength(1);
});
