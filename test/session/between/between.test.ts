/** A message of one framing is sent to a connection of another: it arrives as it is, or that delivery alone fails. */

import { describe, expect, it } from 'vitest';
import { YodelError } from '../../../src/errors.ts';
import { encode, isSameFraming } from '../../../src/framing/framing.ts';
import { Message } from '../../../src/framing/message.ts';
import { framingKinds } from '../../../src/framing/notation.ts';
import { joined, notText, text } from '../../framing/models/pieces.ts';
import { fc } from '../../support/fast-check.ts';
import { type Content, contentOf, deliver, type Outcome, readAll, ways } from './delivery.ts';
import { type Wire, wireNamed, wires } from './wires.ts';

const special = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    '|',
    '||',
    '\x02',
    '\x03',
    '\x0b',
    '\x1c\r',
    '\x10',
    '\x10\x03',
    '\x1b',
    '\x7e',
    '\x7d',
  ],
  ...['.', '\r\n.\r\n', '250 ok', '250-a', 'END', '\nEND', 'DATA', 'set k 0 0 2', 'PUB a 1', '*', ','],
].map((piece) => Buffer.from(piece));

const payload = joined(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...text) },
    { weight: 5, arbitrary: fc.constantFrom(...special) },
    { weight: 1, arbitrary: fc.constantFrom(...notText) },
  ),
  5,
);

const header = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ minLength: 1, maxLength: 5 }),
  fc
    .constantFrom('Z', 'A: b\r\n', 'SEND\ndestination:/a\n', '8=FIX.4.2\x01', '\x78\x78', '\x79\x79', 'block')
    .map((value) => Buffer.from(value)),
);

const message = fc.record({ payload, header, kind: fc.constantFrom('text', 'binary', undefined) });
type Parts = typeof message extends fc.Arbitrary<infer Value> ? Value : never;

/** The bytes of the message on a wire; as much of it as can be sent there. */
function inputOf(wire: Wire, { payload, header, kind }: Parts): Uint8Array[] {
  const framing = wire.own?.[0] ?? wire.protocol.framing;
  for (const one of [Message.of(payload, { header, kind }), Message.of(payload), wire.fine[0]]) {
    try {
      return [encode(framing, one)];
    } catch (error) {
      if (!(error instanceof YodelError) || error.code !== 'YODEL_UNENCODABLE_MESSAGE') throw error;
    }
  }
  return [];
}

const wireName = fc.constantFrom(...wires.map(({ name }) => name));

const plan = fc
  .record({
    from: wireName,
    to: wireName,
    way: fc.constantFrom(...ways),
    messages: fc.array(message, { minLength: 1, maxLength: 4 }),
    lacksEnding: fc.boolean(),
    reads: fc.constantFrom('nothing', 'text', 'bytes'),
    chunkSize: fc.constantFrom(undefined, 1, 3, 16),
  })
  .map(({ messages, lacksEnding, ...rest }) => {
    const { chunkSize } = rest;
    const from = wireNamed(rest.from);
    const input = messages.flatMap((one) => inputOf(from, one));
    const opening = from.opening ? [encode(from.protocol.framing, from.opening)] : [];
    // Only lines and the like may end without an ending.
    const last = input.at(-1);
    const ends = lacksEnding && /^(?:lines|delimiter)/.test(from.name);
    if (ends && last) input[input.length - 1] = last.subarray(0, last.length - 1);
    return { ...rest, input: [...opening, ...input], ends, chunkSize: from.isRaw ? undefined : chunkSize };
  });

/** The messages that were passed on, as an independent decoder reads them. */
function sentIn({ from, input, ends }: { from: Wire; input: Uint8Array[]; ends: boolean }): readonly Content[] {
  const { received, fault } = readAll(from, 'server', Buffer.concat(input), ends);
  expect(fault).toBeUndefined();
  return received;
}

/** Which of the messages arrived: in order, each at most once. */
function arrived(sent: readonly Content[], { received }: Outcome, isReply: boolean): Content[] {
  const rest = [...sent];
  const found: Content[] = [];
  for (const one of received) {
    const at = rest.findIndex((other) => other.payload === one.payload);
    if (at === -1 && isReply && one.payload.includes('the reply cannot be sent')) continue;
    expect(at, `received ${JSON.stringify(one)} of ${JSON.stringify(sent)}`).not.toBe(-1);
    found.push(one);
    rest.splice(0, at + 1);
  }
  return found;
}

/** More on request. */
const runs = Number(process.env.YODEL_FUZZ_RUNS ?? 500);

describe('between any two framings', () => {
  it('has a wire for every kind of framing', () => {
    const covered = wires.map(({ name }) => name.replace(/[:(].*/s, ''));
    expect(framingKinds.map(({ name }) => name).filter((name) => !covered.includes(name))).toEqual([]);
  });

  it(
    'a message arrives as it is, or its delivery fails, and the next one arrives',
    async () => {
      await fc.assert(
        fc.asyncProperty(plan, async (names) => {
          const { way } = names;
          const [from, to] = [wireNamed(names.from), wireNamed(names.to)];
          const sent = sentIn({ ...names, from });
          const outcome = await deliver({ ...names, from, to });
          const side = way === 'client.send' ? 0 : 1;
          const fine = contentOf(to.fine[side]);
          expect(outcome).toMatchObject({ fault: undefined, areOpen: true });
          const all = [...sent, fine];
          if (to.isRaw) {
            const joinedPayloads = all.map((one) => one.payload).join('');
            expect(outcome.received.map((one) => one.payload).join('')).toBe(joinedPayloads);
            return;
          }
          if (way === 'send') expect(outcome.bytes).toBe(outcome.frames);
          const found = arrived(all, outcome, way.startsWith('reply'));
          expect(found.at(-1)?.payload).toBe(fine.payload);
          const failures = all.length - found.length;
          if (side === 1) expect(outcome.undelivered).toHaveLength(failures);
          for (const error of outcome.undelivered) expect(error.code).toBe('YODEL_UNENCODABLE_MESSAGE');
          if (way === 'send' || way === 'client.send')
            expect(outcome.results.filter((one) => one instanceof YodelError)).toHaveLength(failures);
          if (to.takesAll) expect(failures).toBe(0);
          const target = side === 0 ? to.protocol.framing : to.protocol.replyFraming;
          const isSame = from.own ? to.own !== undefined : !to.own && isSameFraming(from.protocol.framing, target);
          if (isSame && failures === 0) expect(found.slice(0, -1)).toEqual(sent);
        }),
        { numRuns: runs },
      );
    },
    30_000 + 20 * runs,
  );
});
