import { expect, test } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { type Payload, payloadsOf } from '../../src/load/payload.ts';
import { settingsOf } from './settings.ts';

const framings = [
  'lines',
  'delimiter:-',
  'delimiter:0123',
  'delimiter:||',
  'length:4',
  'length:2,little,inclusive',
  'raw',
];

/** The messages in a payload. */
function messagesIn(payload: Payload, framing: string): string[] {
  if (framing === 'raw') return framesOf(payload);
  const decoder = parseFraming(framing).createDecoder({
    maxMessageLength: 1_000_000,
    onTooLong: 'close',
    encoding: 'binary',
  });
  const batch = decoder.decode(payload.bytes);
  expect([batch.fault, decoder.pending]).toEqual([undefined, 0]);
  return Array.from(batch, (message) => message.text);
}

function framesOf({ bytes, ends }: Payload): string[] {
  return Array.from(ends, (end, index) => bytes.toString('latin1', index === 0 ? 0 : ends[index - 1], end));
}

for (const framing of framings) {
  test(`with the framing ${framing} every frame is a message of the requested size`, () => {
    for (const size of framing === 'raw' ? [1, 3, 64] : [0, 1, 3, 64]) {
      const payload = payloadsOf(settingsOf({ framing, messages: { size } }))(7);
      const messages = messagesIn(payload, framing);
      expect(messages.length).toBe(payload.ends.length);
      for (const message of messages) expect(message).toMatch(new RegExp(`^[!-~]{${size}}$`));
    }
  });

  test(`with the framing ${framing} all messages of all connections differ`, () => {
    const payloadOf = payloadsOf(settingsOf({ framing, messages: { size: 16 }, connections: 300, pipeline: 20 }));
    const all = Array.from({ length: 300 }, (_, index) => framesOf(payloadOf(index + 1))).flat();
    expect(all.length).toBeGreaterThanOrEqual(300 * 40);
    expect(new Set(all).size).toBe(all.length);
  });
}

test('a message contains its number and that of its connection', () => {
  const payload = payloadsOf(settingsOf({ messages: { size: 12 } }))(34);
  expect(framesOf(payload).slice(0, 2)).toEqual([
    expect.stringMatching(/^34-1-[a-zA-Z0-9]{7}\n$/),
    expect.stringMatching(/^34-2-[a-zA-Z0-9]{7}\n$/),
  ]);
});

test('the ring is a multiple of the messages sent together', () => {
  for (const pipeline of [1, 7, 100]) {
    const { ends } = payloadsOf(settingsOf({ pipeline }))(1);
    expect(ends.length % pipeline).toBe(0);
    expect(ends.length).toBeGreaterThanOrEqual(2 * pipeline);
  }
});

test('large messages for many connections are limited to two for each', () => {
  const { ends, bytes } = payloadsOf(settingsOf({ messages: { size: 1_000_000 }, connections: 100, pipeline: 50 }))(1);
  expect(ends.length).toBe(2);
  expect(bytes.length).toBe(2_000_002);
});

test('messages that need too much memory are refused', () => {
  const settings = settingsOf({ messages: { size: 100_000_000 }, connections: 50 });
  expect(() => payloadsOf(settings)).toThrow(/50 connections with messages of 100000000 bytes take too much memory/);
});

test('given messages are sent in turn by every connection', () => {
  const payloadOf = payloadsOf(settingsOf({ messages: { given: ['a', 'bc', '\xff'] }, pipeline: 2 }));
  expect(framesOf(payloadOf(1))).toEqual(['a\n', 'bc\n', '\xff\n']);
  expect(payloadOf(2)).toBe(payloadOf(1));
});

test('a single given message is repeated, so that a pipeline is one write', () => {
  const payload = payloadsOf(settingsOf({ messages: { given: ['ping'] }, pipeline: 100 }))(1);
  expect(framesOf(payload)).toEqual(new Array(100).fill('ping\n'));
});

test('a message that the framing cannot carry is refused with its number', () => {
  const refused = (framing: string, given: string[]) => {
    try {
      payloadsOf(settingsOf({ framing, messages: { given } }));
    } catch (error) {
      return error instanceof YodelError ? `${error.code} ${error.message}` : error;
    }
    return undefined;
  };
  expect(refused('delimiter:,', ['ab', 'a,b'])).toMatch(/^YODEL_INVALID_OPTION message 2 cannot be sent: .*offset 1/);
  expect(refused('lines', ['a\nb'])).toMatch(/^YODEL_INVALID_OPTION the message cannot be sent: .*line feed/);
  expect(refused('length:1', ['x'.repeat(256)])).toMatch(/does not fit a length field of 1 byte/);
  expect(refused('raw', [''])).toMatch(/empty.*raw/);
});

test('are generated for a framing that has no empty messages, or the error says what to do', () => {
  const messages = { size: 16 } as const;
  expect(framesOf(payloadsOf(settingsOf({ framing: 'resp:inline', messages }))(1))[0]).toMatch(/^1-1-\w{12}\r\n$/);
  expect(() => payloadsOf(settingsOf({ framing: 'resp', messages }))).toThrow(
    /^a generated message cannot be sent: .*; give one with --message$/,
  );
});
