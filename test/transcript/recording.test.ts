/** Recordings: every message with its header, kind and ending, whatever the chunks. */

import { describe, expect, it } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Framing } from '../../src/framing/framing.ts';
import type { Message } from '../../src/framing/message.ts';
import type { MessageKind } from '../../src/framing/message-parts.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { unusualEnding } from '../../src/transcript/ending.ts';
import { frameOf, framingOf } from '../../src/transcript/frames.ts';
import { partsOf } from '../../src/transcript/message-line.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { Recording, type RecordingOptions } from '../../src/transcript/record/recording.ts';
import { type RecordedTimes, shortestTimeMs } from '../../src/transcript/record/times.ts';
import type { Ending, Side } from '../../src/transcript/transcript.ts';
import { Values } from '../../src/transcript/values.ts';
import { protocolFrom, readFraming } from '../../src/transcript/wire.ts';
import { subjects } from '../framing/subjects.ts';
import { fc } from '../support/fast-check.ts';
import { unusualFrames } from './framings.ts';

interface Spoken {
  readonly side: Side;
  readonly payload: Uint8Array;
  readonly header?: Uint8Array | undefined;
  readonly kind?: MessageKind | undefined;
  readonly ending?: Ending;
}

/** Records frames in pieces of `cut` bytes. */
function record(wire: Omit<RecordingOptions, 'write'>, passed: readonly { side: Side; frame: Uint8Array }[], cut = 5) {
  const written: string[] = [];
  const recording = new Recording({ ...wire, write: (more) => void written.push(more) });
  for (const { side, frame } of passed) {
    for (let at = 0; at < frame.length; at += cut) recording.add(side, frame.subarray(at, at + cut));
  }
  recording.end('>');
  recording.end('<');
  return written.join('');
}

/** The bytes that a transcript stands for, in each direction of a client. */
function played(text: string, client = ''): Record<Side, string> {
  const { steps, protocol } = parseTranscript(text);
  const bytes = { '>': '', '<': '' };
  let ending: Ending;
  for (const step of steps) {
    if (step.kind === 'ending') ending = step.ending;
    if (step.kind !== 'message' || step.client !== client) continue;
    const parts = partsOf(step, new Values());
    if (!parts) throw new Error('the line has no bytes');
    bytes[step.side] += Buffer.from(frameOf(framingOf(protocol, step.side), { ...parts, ending })).toString('hex');
  }
  return bytes;
}

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ maxLength: 40 }).map((text) => new Uint8Array(Buffer.from(text))),
);

const sides = fc.constantFrom<Side>('>', '<');
const endings = fc.constantFrom<Ending>(undefined, Buffer.from('\n'), Buffer.from('\r\n'));

function spoken(header: number, kinds: readonly (MessageKind | undefined)[]): fc.Arbitrary<Spoken[]> {
  const parts = {
    side: sides,
    payload: payloads,
    header: header === 0 ? fc.constant(undefined) : fc.uint8Array({ minLength: header, maxLength: header }),
    kind: fc.constantFrom(...kinds),
    ending: endings,
  };
  return fc.array(fc.record(parts), { maxLength: 12 });
}

const neither = [undefined];

it.each([
  ['lines', 'lines', 0, neither],
  ['length:2', 'length:2', 0, neither],
  ['length:2,offset=4', 'length:2,offset=4', 4, neither],
  ['length:1,after=12', 'length:1,after=12', 12, neither],
  ['delimiter:\\0', 'lines', 0, neither],
  ['lines', 'length:4', 0, neither],
  ['websocket', 'websocket', 0, ['binary', 'text', undefined]],
] as const)(
  '%s and %s: a recording reads back as the same bytes in each direction',
  (framing, replies, header, kinds) => {
    const protocol = protocolFrom(readFraming(framing), readFraming(replies));
    fc.assert(
      fc.property(spoken(header, kinds), fc.integer({ min: 1, max: 9 }), (conversation, cut) => {
        const sent = { '>': '', '<': '' };
        const passed: { side: Side; frame: Uint8Array }[] = [];
        for (const { side, ...message } of conversation) {
          const own = framingOf(protocol, side);
          if (own.name === 'lines' && message.payload.includes(10)) continue;
          if (own.name.startsWith('delimiter') && message.payload.includes(0)) continue;
          const frame = Buffer.from(frameOf(own, message));
          sent[side] += frame.toString('hex');
          passed.push({ side, frame });
        }
        expect(played(record({ protocol }, passed, cut))).toEqual(sent);
      }),
    );
  },
);

it('headers are shown in hexadecimal digits, or as text if they are text', () => {
  const frames = [
    { side: '>' as const, frame: Buffer.from('1000000004004d51ff', 'hex') },
    { side: '<' as const, frame: Buffer.concat([Buffer.from('1100000005', 'hex'), Buffer.from('hello')]) },
    { side: '<' as const, frame: Buffer.from('1200000000', 'hex') },
  ];
  expect(record({ framing: 'length:4,offset=1' }, frames)).toBe(
    '@framing length:4,offset=1\n>x 10 | 00 4d 51 ff\n<h 11 | hello\n<h 12 |\n@close\n@closed\n',
  );
});

it('a direction with a framing of its own is named, and so is a protocol', () => {
  const passed = [
    { side: '>' as const, frame: Buffer.from('a\r\n') },
    { side: '<' as const, frame: Buffer.from('\0\x01b') },
  ];
  expect(record({ framing: 'lines', replyFraming: 'length:2' }, passed)).toBe(
    '@framing lines\n@reply-framing length:2\n@ending crlf\n> a\n< b\n@close\n@closed\n',
  );
  expect(record({ protocol: 'smtp' }, [])).toBe('@protocol smtp\n@close\n@closed\n');
});

it('lines that end with CRLF say so, also where that is the ending that the recorded end writes', () => {
  const text = record({ framing: lines({ crlf: true }) }, [{ side: '>', frame: Buffer.from('a\r\n') }]);
  expect(text).toContain('@ending crlf\n> a\n');
});

it('what has no ending is complete, where only some messages have one', () => {
  const passed = (...sent: string[]) => sent.map((text) => ({ side: '>' as const, frame: Buffer.from(text) }));
  const text = record({ protocol: 'redis' }, passed('*1\r\n$4\r\nPING\r\n', 'PING\r\n', '*1\r\n$4\r\nPING\r\n'));
  expect(text).not.toContain('@ending');
});

it('a last line that only the end of the input ended is marked', () => {
  const text = record({ framing: 'lines' }, [{ side: '>', frame: Buffer.from('a\nb') }]);
  expect(text).toContain('> a\n@ending none\n> b\n@close\n');
  expect(played(text)['>']).toBe(Buffer.from('a\nb').toString('hex'));
});

it.each(unusualFrames)('%s: every frame reads back', (name, frames) => {
  const passed = frames.map((frame, index) => ({
    side: index % 2 === 0 ? ('>' as const) : ('<' as const),
    frame: Buffer.from(frame, 'latin1'),
  }));
  const sent = { '>': '', '<': '' };
  for (const { side, frame } of passed) sent[side] += frame.toString('hex');
  const text = record({ framing: parseFraming(name) }, passed, 2);
  expect(text).not.toContain('# ');
  expect(played(text)).toEqual(sent);
});

describe('of every framing', () => {
  const limits = { maxMessageLength: 65_536, onTooLong: 'discard', encoding: 'binary' } as const;
  const decoded = (framing: Framing, bytes: Uint8Array) => {
    const decoder = framing.createDecoder(limits);
    return [decoder.decode(Buffer.from(bytes)), decoder.end()].flatMap((batch) => [...batch]);
  };
  const shown = ({ bytes, header, kind }: Message) => [hex(bytes), hex(header), kind];
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

  it.each(subjects)('$name: a frame in an unusual form reads back as the same message', ({ framing, input }) => {
    fc.assert(
      fc.property(input, (bytes) => {
        for (const message of decoded(framing, bytes)) {
          const { header, kind } = message;
          const parts = { payload: message.bytes, header: header.length > 0 ? header : undefined, kind };
          const frame = orRefused(() => frameOf(framing, { ...parts, ending: unusualEnding(framing, message) }));
          if (frame) expect(decoded(framing, frame).map(shown)).toEqual([shown(message)]);
        }
      }),
    );
  });
});

/** Undefined for a message that may be received, and not sent: a header that is too long in the form in which it is sent. */
function orRefused(encode: () => Uint8Array): Uint8Array | undefined {
  try {
    return encode();
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return undefined;
    throw error;
  }
}

it.each([
  ['lines', 'a\nb'],
  ['delimiter:\\0', 'a\0b'],
  ['delimiters:\\0,\\n', 'a\0b'],
  ['octet-counted:mixed', '1 a<34>b'],
])('%s: a last message that only the end of the input ended reads back', (framing, bytes) => {
  const text = record({ framing: parseFraming(framing) }, [{ side: '>', frame: Buffer.from(bytes) }]);
  expect(text).toContain('@ending none\n');
  expect(played(text)['>']).toBe(Buffer.from(bytes).toString('hex'));
});

it('several clients in one transcript: each reads back as the same bytes in each direction', () => {
  const said = fc.record({
    client: fc.constantFrom('c1', 'c2', 'c3'),
    side: sides,
    payload: payloads,
    ending: endings,
  });
  fc.assert(
    fc.property(fc.array(said, { maxLength: 20 }), fc.constantFrom('lines', 'length:2'), (conversation, framing) => {
      const written: string[] = [];
      const recording = new Recording({ framing, write: (more) => void written.push(more) });
      const clients = new Map(['c1', 'c2', 'c3'].map((name) => [name, recording.client(name)]));
      const sent = new Map([...clients.keys()].map((name) => [name, { '>': '', '<': '' }]));
      for (const { client, side, ...message } of conversation) {
        if (framing === 'lines' && message.payload.includes(10)) continue;
        const frame = Buffer.from(frameOf(readFraming(framing), message));
        (sent.get(client) as Record<Side, string>)[side] += frame.toString('hex');
        clients.get(client)?.add(side, frame);
      }
      for (const client of clients.values()) client.end('>');
      const text = written.join('');
      for (const [name, bytes] of sent) expect(played(text, name)).toEqual(bytes);
      expect(parseTranscript(text).clients).toEqual([...clients.keys()]);
    }),
  );
});

it("the end of the recorder's own server is a comment, and no end of either side", () => {
  const written: string[] = [];
  const recording = new Recording({ framing: 'lines', write: (more) => void written.push(more) });
  const [one, two] = [recording.client('c1'), recording.client('c2')];
  one.add('>', Buffer.from('a\n'));
  two.add('>', Buffer.from('b\n'));
  two.end('>');
  two.end('<');
  for (const client of [one, two]) client.stop();
  for (const side of ['>', '<'] as const) one.end(side);
  expect(written.join('')).toBe(
    '@framing lines\n@connect c1\n@connect c2\nc1> a\nc2> b\n@close c2\n@closed c2\n# c1: the recording ended with the server\n',
  );
});

it('several clients are named, connect where they connected, and end where they ended', () => {
  const written: string[] = [];
  const recording = new Recording({ framing: 'lines', write: (more) => void written.push(more) });
  const [one, two] = [recording.client('c1', 'client 127.0.0.1:1'), recording.client('c2')];
  one.add('>', Buffer.from('a\n'));
  two.add('<', Buffer.from('b\r\n'));
  one.add('<', Buffer.from('c\nunfinished'));
  two.note('a\nproblem');
  one.reset();
  two.end('>');
  two.end('<');
  one.end('>');
  expect(written.join('')).toBe(
    '@framing lines\n# client 127.0.0.1:1\n@connect c1\n@connect c2\nc1> a\n@ending crlf\nc2< b\n@ending lf\nc1< c\n' +
      '# c2: a?problem\n@ending none\nc1< unfinished\n@reset c1\n@close c2\n@closed c2\n',
  );
  parseTranscript(written.join(''));
});

describe('times', () => {
  /** Records a line at each of these times. */
  function at(times: readonly number[], form?: RecordedTimes): string {
    let now = 0;
    const written: string[] = [];
    const recording = new Recording({
      ...{ framing: 'lines', times: form, now: () => now },
      write: (more) => void written.push(more),
    });
    for (const time of times) {
      now = time;
      recording.add('>', Buffer.from('a\nb\n'));
    }
    return written.join('').replaceAll('> a\n> b\n', '-\n').replace('@framing lines\n', '');
  }

  it('stand before what came later, as comments', () => {
    expect(at([0.4, 12.7, 2012.7])).toBe('-\n#+ 12ms\n-\n#+ 2s\n-\n');
  });

  it('are pauses on request, or left out', () => {
    expect(at([12, 13, 1030.5], 'wait')).toBe('@wait 12ms\n-\n-\n@wait 1018ms\n-\n');
    expect(at([12, 1030], 'none')).toBe('-\n-\n');
  });

  it('add up to the time of the whole conversation, however short each pause is', () => {
    const text = at(Array.from({ length: 1000 }, (_, index) => index * 1.3));
    const sum = [...text.matchAll(/^#\+ (\d+)ms$/gm)].reduce((total, [, ms]) => total + Number(ms), 0);
    expect(sum).toBeGreaterThan(1298 - shortestTimeMs);
    expect(sum).toBeLessThanOrEqual(1299);
    expect(text).toContain('-\n-\n-\n#+ 5ms\n-\n');
  });
});
