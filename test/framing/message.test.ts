import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { type DecoderOptions, encode, type Framing } from '../../src/framing/framing.ts';
import { type Batch, Message } from '../../src/framing/message.ts';
import { fc } from '../support/fast-check.ts';
import { show } from './outcome.ts';

const options: DecoderOptions = { maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' };

/** The batch that the last chunk completes. */
function batchOf(framing: Framing, ...chunks: (string | Uint8Array)[]): Batch {
  const decoder = framing.createDecoder(options);
  const batches = chunks.map((chunk) => decoder.decode(Buffer.from(chunk as string)));
  return batches.at(-1) as Batch;
}

/** A batch of "a", "bc", "", "d", "ef": its first message began in an earlier chunk, so its frames are in two slices. */
const fiveLines = () => batchOf(lines(), 'a', '\nbc\r\n\nd\nef\nunfinished');
const fiveTexts = ['a', 'bc', '', 'd', 'ef'];
const textsOf = (messages: Iterable<Message>) => Array.from(messages, (message) => message.text);
const sizesOf = ({ count, byteLength }: Batch) => ({ count, byteLength });
const partsOf = ({ header, bytes, terminator, frame, size }: Message) => ({
  header: show(header),
  bytes: show(bytes),
  terminator: show(terminator),
  frame: show(frame),
  size,
});

describe('a message', () => {
  it('of a line has its text, its frame and its line ending', () => {
    const [first, second] = batchOf(lines(), 'one\ntwo\r\n');
    expect(partsOf(first as Message)).toEqual({
      header: '',
      bytes: 'one',
      terminator: '\\x0a',
      frame: 'one\\x0a',
      size: 3,
    });
    expect(partsOf(second as Message)).toMatchObject({
      bytes: 'two',
      terminator: '\\x0d\\x0a',
      frame: 'two\\x0d\\x0a',
    });
  });

  it('that ended with the input has no terminator', () => {
    const decoder = lines().createDecoder(options);
    decoder.decode(Buffer.from('last\r'));
    const [last] = decoder.end();
    expect(partsOf(last as Message)).toEqual({
      header: '',
      bytes: 'last\\x0d',
      terminator: '',
      frame: 'last\\x0d',
      size: 5,
    });
  });

  it('of a delimiter has the delimiter as its terminator', () => {
    const [message] = batchOf(delimiter('||'), 'a|b||');
    expect(partsOf(message as Message)).toEqual({
      header: '',
      bytes: 'a|b',
      terminator: '||',
      frame: 'a|b||',
      size: 3,
    });
  });

  it('with a length has the bytes around the length field as its header', () => {
    const [message] = batchOf(length({ bytes: 2, offset: 1 }), '\x07\0\x02hi');
    expect(partsOf(message as Message)).toEqual({
      header: '\\x07',
      bytes: 'hi',
      terminator: '',
      frame: '\\x07\\x00\\x02hi',
      size: 2,
    });
  });

  it('is its text where a string is expected', () => {
    const [message] = batchOf(lines(), 'hej då\n');
    expect(`${message}`).toBe('hej då');
  });

  it('keeps a byte order mark in its text', () => {
    const [message] = batchOf(lines(), '\ufeffhi\n');
    expect((message as Message).text).toBe('\ufeffhi');
  });

  it('has U+FFFD for bytes that are not UTF-8', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const frame = Buffer.concat([Buffer.of(0, bytes.length), bytes]);
        const [message] = batchOf(length({ bytes: 2 }), frame);
        expect((message as Message).text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
      }),
    );
  });

  it('stays whole when its batch is empty', () => {
    const batch = fiveLines();
    const kept = [...batch];
    while (batch.shift());
    expect(textsOf(kept)).toEqual(fiveTexts);
  });
});

describe('a batch', () => {
  it('has its messages in order, each time it is iterated over', () => {
    const batch = fiveLines();
    expect(batch.count).toBe(5);
    expect(textsOf(batch)).toEqual(fiveTexts);
    expect(textsOf(batch)).toEqual(fiveTexts);
  });

  it('has the frames as they arrived: the one that began in an earlier chunk, and the rest', () => {
    const batch = fiveLines();
    expect(batch.slices.map(show)).toEqual(['a\\x0a', 'bc\\x0d\\x0a\\x0ad\\x0aef\\x0a']);
    expect(batch.byteLength).toBe(12);
  });

  it('has the frames in one slice if they arrived in one chunk', () => {
    expect(batchOf(lines(), 'a\nb\nc').slices.map(show)).toEqual(['a\\x0ab\\x0a']);
  });

  it('may be empty', () => {
    const batch = batchOf(lines(), 'unfinished');
    expect([...batch]).toEqual([]);
    expect(sizesOf(batch)).toEqual({ count: 0, byteLength: 0 });
    expect(batch.slices).toEqual([]);
    expect(batch.shift()).toBeUndefined();
    expect(batch.take(3).count).toBe(0);
  });

  it('can have a hundred thousand empty lines', () => {
    const batch = batchOf(lines(), '\n'.repeat(100_000));
    expect(batch.count).toBe(100_000);
    expect([...batch].every((message) => message.size === 0)).toBe(true);
  });

  it('hands out its messages one by one', () => {
    const batch = fiveLines();
    expect(batch.shift()?.text).toBe('a');
    expect(batch.shift()?.text).toBe('bc');
    expect(sizesOf(batch)).toEqual({ count: 3, byteLength: 6 });
    expect(batch.slices.map(show)).toEqual(['\\x0ad\\x0aef\\x0a']);
    expect(textsOf(batch)).toEqual(['', 'd', 'ef']);
  });

  it('hands out several as a batch of their own', () => {
    const batch = fiveLines();
    const taken = batch.take(3);
    expect(textsOf(taken)).toEqual(['a', 'bc', '']);
    expect(sizesOf(taken)).toEqual({ count: 3, byteLength: 7 });
    expect(taken.slices.map(show)).toEqual(['a\\x0a', 'bc\\x0d\\x0a\\x0a']);
    expect(textsOf(batch)).toEqual(['d', 'ef']);
    expect(sizesOf(batch)).toEqual({ count: 2, byteLength: 5 });
  });

  it('hands out no more than it has', () => {
    const batch = fiveLines();
    expect(sizesOf(batch.take(9))).toEqual({ count: 5, byteLength: 12 });
    expect(sizesOf(batch)).toEqual({ count: 0, byteLength: 0 });
    expect(batch.slices).toEqual([]);
  });

  it('keeps its fault when messages are taken out', () => {
    const batch = lines()
      .createDecoder({ ...options, maxMessageLength: 2 })
      .decode(Buffer.from('a\nbc\ntoo long\n'));
    expect(batch.take(1).fault).toBeUndefined();
    expect(batch.fault?.code).toBe('YODEL_MESSAGE_TOO_LONG');
  });

  it('has the same messages whether they are taken out one by one, in runs or not at all', () => {
    const steps = fc.array(fc.nat(4), { maxLength: 8 });
    const firstChunk = fc.constantFrom('', 'a', 'long beginning');
    const lineTexts = fc.array(fc.constantFrom('', 'x', 'yy', 'z\r'), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(firstChunk, lineTexts, steps, (first, texts, counts) => {
        const decode = () => batchOf(lines(), first, texts.map((text) => `${text}\n`).join(''));
        const all = [...decode()].map(partsOf);
        const batch = decode();
        const seen: ReturnType<typeof partsOf>[] = [];
        for (const count of counts) {
          // 0 takes one message on its own, any other number a run of that length.
          const next = count === 0 ? batch.shift() : undefined;
          seen.push(...(count === 0 ? (next ? [next] : []) : [...batch.take(count)]).map(partsOf));
          const left = all.slice(seen.length);
          expect(batch.count).toBe(left.length);
          expect(batch.byteLength).toBe(left.reduce((total, { frame }) => total + bytesShown(frame), 0));
        }
        expect([...seen, ...[...batch].map(partsOf)]).toEqual(all);
      }),
    );
  });

  it('and the messages taken out of it stay valid once the borrow ends, whatever was read before', () => {
    const uses = [undefined, 'text', 'bytes', 'frame', 'size', 'kept'] as const;
    const rules = fc.constantFrom(lines(), delimiter('||'), length({ bytes: 2, offset: 1 }), length({ bytes: 1 }));
    const texts = fc.array(fc.constantFrom('', 'x', 'yy', 'z\r', 'å', '日本'), { minLength: 1, maxLength: 8 });
    const looks = fc.array(fc.constantFrom(...uses), { maxLength: 9 });
    fc.assert(
      fc.property(rules, texts, looks, fc.nat(3), (rule, all, used, early) => {
        const wire = Buffer.concat(all.map((text) => encode(rule, text)));
        const expected = [...batchOf(rule, wire)].map((message) => ({ ...partsOf(message), text: message.text }));
        const decoder = rule.createDecoder(options);
        decoder.decode(wire.subarray(0, Math.min(early, wire.length - 1)));
        const chunk = Buffer.from(wire.subarray(Math.min(early, wire.length - 1)));
        const batch = decoder.decode(chunk);
        const taken: Message[] = [];
        for (const use of used) {
          const message = batch.shift();
          if (!message) break;
          taken.push(use === 'kept' ? message.kept() : message);
          if (use && use !== 'kept') void message[use];
        }
        batch.endBorrow();
        chunk.fill(0xee);
        // Whole frames of an earlier chunk are not in this batch.
        const here = expected.slice(expected.length - taken.length - batch.count);
        const seen = [...taken, ...batch].map((message) => ({ ...partsOf(message), text: message.text }));
        expect(seen).toEqual(here);
      }),
    );
  });

  it('stays valid once the borrow of its chunk ends', () => {
    const decoder = lines().createDecoder(options);
    const chunk = Buffer.from('a\nbc\nd\n');
    const batch = decoder.decode(chunk);
    batch.shift();
    batch.endBorrow();
    chunk.fill(0xee);
    expect(textsOf(batch)).toEqual(['bc', 'd']);
    expect(sizesOf(batch)).toEqual({ count: 2, byteLength: 5 });
  });
});

/** How many bytes `show` has shown. */
function bytesShown(text: string): number {
  return text.replace(/\\x../g, '.').length;
}

describe('a message of a program', () => {
  it('has no other kind than text and binary', () => {
    const kind = 'txt' as 'text';
    expect(() => Message.of('x', { kind })).toThrow('the kind of a message is "text" or "binary", not "txt"');
  });

  it('is readable when it is printed', () => {
    expect(inspect(Message.of('a\nb'))).toBe('Message text, "a\\nb"');
    expect(inspect({ message: Message.of(Buffer.from('b'), { header: Uint8Array.of(0, 4), kind: 'binary' }) })).toBe(
      '{ message: Message header 00 04, binary, "b" }',
    );
    expect(inspect([...batchOf(lines(), 'hello\n')][0])).toBe('Message "hello"');
    expect(inspect(Message.of(Buffer.alloc(300, 'x')))).toBe(`Message "${'x'.repeat(200)}"...`);
  });
});
