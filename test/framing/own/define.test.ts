import { describe, expect, it } from 'vitest';
import {
  defineFraming,
  encode,
  type FramingDefinition,
  length,
  lines,
  Message,
  parseFraming,
} from '../../../src/index.ts';
import { checkFraming, decodeAll } from '../../../src/testing/testing.ts';
import { Harness } from '../../session/harness.ts';
import { testSeed } from '../../support/fast-check.ts';
import { changing, changingConversation, prefixed, stuffed, summed, varied } from './framings.ts';

const texts = (decoded: ReturnType<typeof decodeAll>) => decoded.messages.map(({ text }) => text);
const faults = (decoded: ReturnType<typeof decodeAll>) =>
  decoded.faults.map(({ code, message }) => `${code}: ${message}`);

describe('defineFraming', () => {
  it.each([
    ['a length', prefixed, {}],
    ['a checksum', summed, {}],
    ['escapes', stuffed, {}],
    ['headers of any size', varied, { messages: ['a', Message.of('b', { header: Uint8Array.of(7) })] }],
    ['a rule that changes', changing, { conversation: changingConversation }],
    ['in-place frames', { ...prefixed, encode: undefined, inPlace: length().encoder.inPlace }, {}],
  ] as const)('makes a framing with %s that keeps every promise', (_name, definition, options) => {
    checkFraming(defineFraming(definition as FramingDefinition), { seed: testSeed, ...options });
  });

  it('has the same frames as a built-in framing that does the same', () => {
    const framing = defineFraming(prefixed);
    for (const text of ['', 'hi', 'x'.repeat(70_000)]) expect(encode(framing, text)).toEqual(encode(length(), text));
  });

  it('has its own id for each definition, so that frames of others are never sent as they are', () => {
    const [one, other] = [defineFraming(prefixed), defineFraming(prefixed)];
    expect(one.name).toBe(other.name);
    expect(one.id).not.toBe(other.id);
    expect(one.id).not.toBe(one.name);
  });

  it('is found by its name, which recordings contain', () => {
    const framing = defineFraming({ ...prefixed, name: 'found-by-name' });
    expect(parseFraming('found-by-name')).toBe(framing);
    expect(() => parseFraming('never-defined')).toThrow('unknown framing "never-defined"');
  });

  it('keeps the header of a message, and gives it to a reply', () => {
    const framing = defineFraming(varied);
    const [message] = decodeAll(framing, Buffer.from('0702', 'hex')).messages;
    expect(message).toBeUndefined();
    const [typed] = decodeAll(framing, Buffer.from('07026869', 'hex')).messages as [Message];
    expect([...typed.header]).toEqual([7]);
    expect(Buffer.from(framing.encoder.encode(Buffer.from('ok'), framing.encoder.shapeOf(typed))).toString('hex')).toBe(
      '07026f6b',
    );
    // A header of another framing means something else there.
    expect(
      framing.encoder.shapeOf(
        decodeAll(length({ bytes: 1, offset: 1 }), Buffer.from('0900', 'hex')).messages[0] as Message,
      ),
    ).toBeUndefined();
  });

  it('has a state for each connection and direction, or that of the protocol', () => {
    interface Counted {
      count: number;
    }
    const counted = defineFraming<Counted>({
      ...(prefixed as FramingDefinition<never>),
      createState: () => ({ count: 0 }),
      next(_bytes, _start, _end, state) {
        state.count++;
        return undefined;
      },
      decode(bytes, start, state) {
        if (state.count === 2) throw new Error('two are enough');
        return bytes.length < start + 4 ? 0 : start + 4 + bytes.readUInt32BE(start);
      },
    });
    const input = Buffer.concat(['a', 'b', 'c'].map((text) => encode(length(), text)));
    for (let connection = 0; connection < 2; connection++) {
      const decoded = decodeAll(counted, input);
      expect(texts(decoded)).toEqual(['a', 'b']);
      expect(faults(decoded)[0]).toMatch(/message 3 is not a valid frame of the framing "prefixed": two are enough/);
    }
    const shared = { count: 1 };
    expect(texts(decodeAll(counted, input, { state: shared }))).toEqual(['a']);
    expect(shared.count).toBe(2);
  });

  it('changes its rule, limits included, in the middle of a chunk', () => {
    const framing = defineFraming(changing);
    const input = Buffer.from('block 20\nabcdefghi\nklmnopqrst\nbye\n');
    expect(texts(decodeAll(framing, input, { maxMessageLength: 20 }))).toEqual([
      'block 20',
      'abcdefghi\nklmnopqrst',
      'bye',
    ]);
    expect(faults(decodeAll(framing, input, { maxMessageLength: 19 }))).toEqual([
      'YODEL_MESSAGE_TOO_LONG: message 2 is longer than the limit of 19 bytes',
    ]);
    // The announced block is refused before its bytes arrive.
    const decoder = framing.createDecoder({ maxMessageLength: 19, onTooLong: 'close', encoding: 'binary' });
    const [first, second] = [decoder.decode(Buffer.from('block 20\n')), decoder.decode(Buffer.from('a'))];
    expect([first.count, first.fault, second.fault?.code]).toEqual([1, undefined, 'YODEL_MESSAGE_TOO_LONG']);
  });

  it('lets a search continue where it stopped, so that small pieces of a long frame cost no more than one', () => {
    let searched = 0;
    const framing = defineFraming({
      ...stuffed,
      decode(bytes, start, _state, seen) {
        searched += bytes.length - seen;
        return bytes.indexOf(0x7e, Math.max(start, seen)) + 1;
      },
    });
    const frame = encode(framing, 'x'.repeat(5000));
    const { messages } = decodeAll(
      framing,
      Array.from(frame, (byte) => Uint8Array.of(byte)),
    );
    expect([messages.length, searched]).toEqual([1, frame.length]);
    checkFraming(framing, { seed: testSeed });
  });

  it('never gives a program bytes of a chunk that the next one overwrites', () => {
    const framing = defineFraming(stuffed);
    const chunk = Buffer.from('plain~');
    const [message] = framing
      .createDecoder({ maxMessageLength: 9, onTooLong: 'close', encoding: 'binary' })
      .decode(chunk);
    const { bytes } = message as Message;
    chunk.fill(0);
    expect(Buffer.from(bytes).toString()).toBe('plain');
  });
});

describe('what a definition refuses of a peer', () => {
  const refusal = (definition: FramingDefinition, input: string, maxMessageLength = 100) =>
    faults(decodeAll(defineFraming(definition), Buffer.from(input, 'latin1'), { maxMessageLength }));

  it('names the byte of a wrong checksum and a wrong escape', () => {
    expect(refusal(summed, 'hid2|')).toEqual([
      'YODEL_INVALID_FRAME: message 1 is not a valid frame of the framing "summed": at byte 3: the checksum is d2, and should be d1',
    ]);
    expect(refusal(stuffed, 'ab}~')).toEqual([
      'YODEL_INVALID_FRAME: message 1 is not a valid frame of the framing "stuffed": at byte 3: an escape without a byte',
    ]);
    // Also in a frame that is longer than the limit.
    expect(refusal(stuffed, 'abcdef}~', 6)[0]).toMatch(/at byte 7: an escape without a byte/);
  });

  it('refuses a frame that is too short for its parts', () => {
    expect(refusal(summed, 'x|')[0]).toMatch(/a frame of 2 bytes is shorter than its header and trailer, which have 3/);
    const trailing: FramingDefinition = { ...varied, trailerSize: () => 4 };
    expect(refusal(trailing, '\x00\x02hi')[0]).toMatch(/a header of 2 and a trailer of 4 bytes do not fit its 4 bytes/);
  });

  it('bounds what is buffered where an end never comes', () => {
    const decoder = defineFraming(stuffed).createDecoder({
      maxMessageLength: 10,
      onTooLong: 'close',
      encoding: 'binary',
    });
    const found = Array.from({ length: 30 }, () => decoder.decode(Buffer.from('x')).fault?.code);
    expect(found.indexOf('YODEL_MESSAGE_TOO_LONG')).toBe(21);
    expect(decoder.pending).toBe(0);
  });

  it('continues after a message that is too long, with the ending or with its length', () => {
    const rest = (definition: FramingDefinition, input: string) =>
      texts(
        decodeAll(defineFraming(definition), Buffer.from(input, 'latin1'), {
          maxMessageLength: 4,
          onTooLong: 'discard',
        }),
      );
    expect(rest(stuffed, `${'x'.repeat(50)}~hi~`)).toEqual(['hi']);
    expect(rest(prefixed, '\0\0\0\x05xxxxx\0\0\0\x02hi')).toEqual(['hi']);
  });

  it('explains mistakes of decode as errors of the message', () => {
    const decodes = (decode: (bytes: Buffer, start: number) => unknown) =>
      refusal({ ...prefixed, decode: decode as FramingDefinition['decode'] }, 'abc')[0];
    expect(decodes(() => -1)).toMatch(/its "decode" returned -1 for a frame at 0, which is not an offset behind it/);
    expect(decodes(() => Number.NaN)).toMatch(/returned NaN .*it may have read a byte that has not arrived yet/);
    expect(decodes((bytes) => bytes.readUInt32BE(0))).toMatch(/its "decode" failed: .*has not arrived yet/);
    expect(decodes(() => 'end')).toMatch(/returned end for a frame at 0/);
    expect(refusal({ ...stuffed, payload: () => 'text' as never }, 'a~')[0]).toMatch(
      /its "payload" returned text, not bytes/,
    );
    expect(refusal({ ...stuffed, payload: () => new Uint8Array(99) }, 'a~')[0]).toMatch(
      /its payload is longer than its frame/,
    );
    expect(refusal({ ...changing, next: () => ({ decod: 1 }) as never }, 'a\n')[0]).toMatch(
      /the rule that "next" of the framing "changing" returned has an unknown member "decod". Did you mean "decode"\?/,
    );
  });
});

describe('what a definition refuses to send', () => {
  it('reports any error of encode as that of the message', () => {
    expect(() => encode(defineFraming(summed), 'a|b')).toThrow(
      expect.objectContaining({
        code: 'YODEL_UNENCODABLE_MESSAGE',
        message: 'the framing "summed" cannot send it: it contains a bar',
      }),
    );
    const inPlace = {
      headerSize: () => 0,
      trailerSize: 0,
      seal: () => {
        throw new Error('never');
      },
    };
    expect(() => encode(defineFraming({ ...prefixed, inPlace }), 'a')).toThrow(
      expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE' }),
    );
  });

  it.each([
    ['encode returns no bytes', { encode: () => 'frame' as never }, 'its "encode" returned frame, not bytes'],
    ['headerSize is no size', { inPlace: { ...sealing, headerSize: () => Number.NaN } }, '"headerSize" returned NaN'],
    ['headerSize throws', { inPlace: { ...sealing, headerSize: () => refuse('no') } }, 'cannot send it: no'],
    ['seal returns no end', { inPlace: { ...sealing, seal: () => 1000 } }, 'its "seal" returned 1000'],
    [
      'what is thrown has no text',
      { encode: () => refuse({ toString: () => refuse('x') }) },
      'an error without a text',
    ],
  ])('is the failure of the message if %s', (_what, parts, problem) => {
    const framing = defineFraming({ ...prefixed, ...parts } as FramingDefinition);
    expect(() => encode(framing, 'a')).toThrow(
      expect.objectContaining({ code: 'YODEL_UNENCODABLE_MESSAGE', message: expect.stringContaining(problem) }),
    );
  });
});

const sealing = {
  headerSize: () => 0,
  trailerSize: 0,
  seal: (_target: Buffer, _at: number, _start: number, end: number) => end,
};

function refuse(thrown: unknown): never {
  throw thrown;
}

describe('a definition that fails when it is used', () => {
  it.each([
    [
      'decode throws what has no text',
      { decode: () => refuse({ toString: () => refuse('x') }) },
      'an error without a text',
    ],
    ['createState throws', { createState: () => refuse(new Error('no state')) }, 'its "createState" failed: no state'],
  ])('is the fault of a message: %s', (_what, parts, problem) => {
    const framing = defineFraming({ ...prefixed, ...parts } as FramingDefinition);
    expect(faults(decodeAll(framing, Buffer.from([0, 1, 65]))).join()).toContain(problem);
  });

  it('closes its own session only, even if no error reply can be encoded', async () => {
    const failed: string[] = [];
    const harness = await Harness.open({
      framing: defineFraming({
        name: 'unsendable',
        trailerSize: 1,
        decode: (bytes, start) => bytes.indexOf(10, start) + 1,
        encode: () => 'no bytes' as never,
      }),
      handler: ({ text }) => `${text}!`,
      telemetry: { handlerFailed: (_session, error) => void failed.push(String(error.cause)) },
    });
    for (const _ of [1, 2]) {
      const peer = await harness.connect();
      expect(await peer.says('a\n')).toBe('');
      await peer.ends();
    }
    expect(failed.join()).toMatch(/returned no bytes, not bytes.*returned no bytes, not bytes/);
  });
});

describe('mistakes in a definition', () => {
  const { encode: _, ...withoutEncode } = prefixed;
  it.each([
    ['nothing', undefined, 'a definition of a framing is an object, not undefined'],
    ['no name', { ...prefixed, name: undefined }, 'a framing needs a name, which is text such as "my-frames"'],
    ['spaces in the name', { ...prefixed, name: 'my frames' }, '"my frames" cannot be the name of a framing'],
    ['a path as the name', { ...prefixed, name: './mine.ts' }, '"./mine.ts" cannot be the name of a framing'],
    ['the name of a built-in framing', { ...prefixed, name: 'length:9' }, '"length" is a framing of yodel'],
    ['no encode', withoutEncode, 'the framing "prefixed" has no encode'],
    ['no decode', { ...prefixed, decode: undefined }, 'the framing "prefixed" has no decode'],
    ['a misspelt member', { ...prefixed, hederSize: 4 }, 'an unknown member "hederSize". Did you mean "headerSize"?'],
    [
      'a text as size',
      { ...prefixed, headerSize: '4' },
      'takes a whole number from 0 on, or a function as "headerSize"',
    ],
    ['an empty ending', { ...prefixed, ending: '' }, 'takes text or bytes, at least one as "ending"'],
    [
      'an incomplete encoder',
      { ...prefixed, inPlace: {} },
      'takes an object with headerSize, trailerSize and seal as "inPlace"',
    ],
    [
      'escapes without a bound',
      { ...stuffed, maxFrameSize: undefined },
      'has a function "payload", so it needs the longest frame',
    ],
    [
      'a bound that is no number',
      { ...stuffed, maxFrameSize: () => Number.NaN },
      'has a maxFrameSize that returns NaN for a limit of 65536',
    ],
  ])('are reported at once: %s', (_name, definition, problem) => {
    expect(() => defineFraming(definition as never)).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: expect.stringContaining(problem) }),
    );
  });

  it('allows an argument in the name', () => {
    expect(defineFraming({ ...prefixed, name: 'prefixed:4,big' }).name).toBe('prefixed:4,big');
  });
});

describe('a framing of the built-in kind', () => {
  it.each([lines(), length()])('$name keeps every promise', (framing) => {
    checkFraming(framing, { runs: 50, seed: testSeed });
  });
});
