import { expect, test } from 'vitest';
import { resolveWire } from '../../../src/framing/wire.ts';
import { payloadsOf } from '../../../src/load/payload.ts';
import { CountMatcher } from '../../../src/load/replies/count.ts';
import { EchoMatcher } from '../../../src/load/replies/echo.ts';
import type { ReplyMatcher } from '../../../src/load/replies/matcher.ts';
import { fc } from '../../support/fast-check.ts';
import { settingsOf } from '../settings.ts';

const framings = ['lines', 'delimiter:||', 'length:2', 'raw'];

/** Feeds the bytes in chunks of these sizes, repeatedly, and counts the replies. */
function countIn(matcher: ReplyMatcher, bytes: Buffer, sizes: readonly number[]): number {
  let count = 0;
  for (let at = 0, piece = 0; at < bytes.length && !matcher.fault; piece++) {
    const size = sizes[piece % sizes.length] as number;
    count += matcher.match(bytes.subarray(at, at + size));
    at += size;
  }
  return count;
}

const pieces = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });

for (const framing of framings) {
  test(`with the framing ${framing} each echoed message is counted once, whatever the chunks`, () => {
    const given = framing === 'raw' ? ['a', 'bcd', 'xyz'.repeat(40)] : ['a', '', 'bcd', 'xyz'.repeat(40)];
    for (const messages of [{ size: 20 }, { given }]) {
      const payload = payloadsOf(settingsOf({ framing, messages, pipeline: 3 }))(1);
      const threeRings = Buffer.concat([payload.bytes, payload.bytes, payload.bytes]);
      fc.assert(
        fc.property(pieces, (sizes) => {
          const matcher = new EchoMatcher(payload, 1);
          expect(countIn(matcher, threeRings, sizes)).toBe(3 * payload.ends.length);
          expect(matcher.fault).toBeUndefined();
        }),
      );
    }
  });

  test(`with the framing ${framing} every wrong byte is found, and replies before it count`, () => {
    const payload = payloadsOf(settingsOf({ framing, pipeline: 5, messages: { size: 10 } }))(1);
    const twice = Buffer.concat([payload.bytes, payload.bytes]);
    const frame = payload.ends[0] as number;
    fc.assert(
      fc.property(pieces, fc.nat(twice.length - 1), fc.integer({ min: 1, max: 255 }), (sizes, at, change) => {
        const wrong = Buffer.from(twice);
        wrong[at] = (wrong[at] as number) ^ change;
        const matcher = new EchoMatcher(payload, 3);
        expect(countIn(matcher, wrong, sizes)).toBe(Math.floor(at / frame));
        expect(matcher.fault?.code).toBe('YODEL_WRONG_REPLY');
        expect(matcher.fault?.message).toContain(`message ${Math.floor(at / frame) + 1} of connection 3: expected`);
      }),
    );
  });
}

test('a wrong reply is shown escaped and shortened, with what was expected', () => {
  const payload = payloadsOf(settingsOf({ messages: { given: ['a'.repeat(1000)] } }))(1);
  const matcher = new EchoMatcher(payload, 2);
  matcher.match(Buffer.from(`${'a'.repeat(500)}\x1b[31m"\xff`, 'latin1'));
  expect(matcher.fault?.message).toBe(
    `message 1 of connection 2: expected 1001 bytes …"${'a'.repeat(48)}"…, got …"${'a'.repeat(41)}\\x1b[31m\\"\\xff"`,
  );
});

test('the reply to another connection or another message is wrong', () => {
  const payloadOf = payloadsOf(settingsOf());
  const [own, other] = [payloadOf(1), payloadOf(2)];
  const second = own.bytes.subarray(own.ends[0], own.ends[1]);
  for (const wrong of [other.bytes.subarray(0, other.ends[0]), second]) {
    const matcher = new EchoMatcher(own, 1);
    expect(matcher.match(wrong)).toBe(0);
    expect(matcher.fault?.code).toBe('YODEL_WRONG_REPLY');
  }
});

test('counted replies are messages of the framing, whatever their content', () => {
  fc.assert(
    fc.property(pieces, (sizes) => {
      const matcher = new CountMatcher({ protocol: resolveWire({ framing: 'lines' }) });
      expect(countIn(matcher, Buffer.from('one\r\n\n\xff\xfethree\nunfinished', 'latin1'), sizes)).toBe(3);
      expect(matcher.fault).toBeUndefined();
    }),
  );
});

test('counted replies may be of any length', () => {
  const matcher = new CountMatcher({ protocol: resolveWire({ framing: 'lines' }) });
  const piece = Buffer.alloc(1_000_000, 'x');
  let count = 0;
  for (let sent = 0; sent < 20; sent++) count += matcher.match(piece);
  expect(count).toBe(0);
  count += matcher.match(Buffer.from('\nnext\n'));
  expect(count).toBe(2);
});

test('a counted reply that is not a frame is a fault', () => {
  const matcher = new CountMatcher({ protocol: resolveWire({ framing: 'length:1,inclusive' }) });
  expect(matcher.match(Buffer.from([2, 65, 0]))).toBe(1);
  expect(matcher.fault?.code).toBe('YODEL_INVALID_FRAME');
});
