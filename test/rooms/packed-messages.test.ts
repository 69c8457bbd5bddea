import { describe, expect, it } from 'vitest';
import { isMessage, Message } from '../../src/framing/message.ts';
import { packMessages, unpackMessages } from '../../src/rooms/packed-messages.ts';
import type { RoomMessage } from '../../src/rooms/segment.ts';
import { between, oneOf, randomFrom } from '../../src/testing/random.ts';

function sent(message: RoomMessage['message'], key?: string, isPassing = false): RoomMessage {
  const size = isMessage(message) ? message.size : message.length;
  return { message, size, except: undefined, key, isRemote: false, isPassing };
}

/** All that a message has, however it is given. */
function plain({ message, key, isPassing }: RoomMessage) {
  const whole = isMessage(message) ? message : Message.of(message);
  const { bytes, header, kind, text } = whole;
  return {
    bytes: Buffer.from(bytes).toString('latin1'),
    text,
    header: [...header],
    kind,
    key,
    isPassing,
    isBytes: message instanceof Uint8Array,
  };
}

/** As they arrive. */
function travel(messages: readonly RoomMessage[], maxSize = 262_144): RoomMessage[][] {
  const batches: RoomMessage[][] = [];
  // Packed bytes are valid only until the next ones.
  for (const { count, bytes } of packMessages(messages, maxSize))
    batches.push(unpackMessages(Buffer.from(bytes), count));
  return batches;
}

const texts = ['', 'a', 'plain', '你好', 'x'.repeat(2000), `ä${'y'.repeat(2000)}`, 'half \ud83d', '\ude00 half'];

function randomMessage(random: ReturnType<typeof randomFrom>): RoomMessage {
  const key = oneOf(random, [undefined, undefined, undefined, '', 'price/ä']);
  const text = oneOf(random, texts);
  const bytes = Buffer.from(oneOf(random, ['', '\xff\0', 'bytes']), 'latin1');
  const isPassing = oneOf(random, [false, false, false, true]);
  const header = oneOf(random, [undefined, undefined, Buffer.from([7, 8])]);
  const kind = oneOf(random, [undefined, 'text', 'binary'] as const);
  return sent(
    oneOf(random, [text, text, bytes, Message.of(text, { header, kind }), Message.of(bytes, { header, kind })]),
    key,
    isPassing,
  );
}

describe('packed messages', () => {
  it('arrive as what they were, in order, whatever they are and however they are divided into batches', () => {
    const random = randomFrom(21);
    for (let round = 0; round < 300; round++) {
      const messages = Array.from({ length: between(random, 1, 30) }, () => randomMessage(random));
      const arrived = travel(messages, oneOf(random, [1, 100, 5000, 262_144])).flat();
      expect(arrived.map(plain)).toEqual(messages.map(plain));
      expect(arrived.every(({ isRemote }) => isRemote)).toBe(true);
    }
  });

  it('are divided into batches that are no larger than allowed, unless one message is', () => {
    const messages = Array.from({ length: 100 }, (_, index) =>
      sent('ä'.repeat(index * 20), index % 3 ? 'key' : undefined),
    );
    const batches = [...packMessages(messages, 10_000)].map(({ count, bytes }) => [count, bytes.length] as const);
    expect(batches.length).toBeGreaterThan(3);
    expect(Math.max(...batches.map(([, size]) => size))).toBeLessThanOrEqual(10_000);
    expect(travel([sent('x'), sent('y'.repeat(20_000)), sent('z')], 10_000).map((one) => one.length)).toEqual([
      1, 1, 1,
    ]);
  });

  it('that were cut off or falsified are refused, or arrive as others, and never do anything else', () => {
    const random = randomFrom(22);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const messages = Array.from({ length: between(random, 1, 5) }, () => randomMessage(random));
      const [packed] = packMessages(messages, 262_144);
      const bytes = Buffer.from(
        (packed?.bytes ?? Buffer.alloc(0)).subarray(0, between(random, 0, packed?.bytes.length ?? 0)),
      );
      if (bytes.length > 0) bytes[between(random, 0, bytes.length - 1)] = between(random, 0, 255);
      const count = oneOf(random, [messages.length, 0, 1, 2 ** 32 - 1]);
      try {
        expect(unpackMessages(bytes, count).map(plain)).toHaveLength(count);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
