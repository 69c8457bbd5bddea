import { afterAll, describe, expect, it } from 'vitest';
import { type DecoderOptions, encode } from '../../src/framing/framing.ts';
import { fc } from '../support/fast-check.ts';
import { anyChunking, cut, inOneChunk } from './chunking.ts';
import { decodeAll, messageEvents, withoutReasons } from './outcome.ts';
import { anyLimit, anyOptions, carriedBy, carriedOfSize, subjects, tryEncode } from './subjects.ts';

// There are 568 of them, and the inputs are the same in every run. `npm run fuzz` tries as many others as there is time for.
fc.configureGlobal({ numRuns: 100 });
// Other files run in the same process.
afterAll(() => fc.resetConfigureGlobal());

const generousLimit: DecoderOptions = { maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' };

describe.each(subjects)('$name', (subject) => {
  const { framing, reference } = subject;
  const streamOf = (messages: readonly Uint8Array[]) => Buffer.concat(messages.map((bytes) => encode(framing, bytes)));

  const longMessage = (size: number) =>
    subject.sized?.(size) ?? Buffer.from(Array.from({ length: size }, (_, at) => 0x20 + (at % 64)));

  it('returns the messages that were sent, however they are split, although each chunk is overwritten', () => {
    const sent = fc.array(carriedBy(subject), { maxLength: 8 });
    fc.assert(
      fc.property(sent, anyChunking, (messages, chunking) => {
        const outcome = decodeAll(framing, generousLimit, cut(streamOf(messages), chunking));
        expect(outcome).toMatchObject({ events: [...messageEvents(messages), 'end'], pending: 0 });
      }),
    );
  });

  it('buffers bytes exactly while a frame is unfinished', () => {
    const sent = fc.array(carriedBy(subject), { maxLength: 4 });
    fc.assert(
      fc.property(sent, anyChunking, (messages, chunking) => {
        const ends = messages.map((_, index) => streamOf(messages.slice(0, index + 1)).length);
        const decoder = framing.createDecoder(generousLimit);
        let fed = 0;
        for (const chunk of cut(streamOf(messages), chunking)) {
          decoder.decode(chunk);
          fed += chunk.length;
          expect(decoder.pending).toBe(fed - Math.max(0, ...ends.filter((end) => end <= fed)));
        }
      }),
    );
  });

  it('assembles long messages from many pieces', () => {
    const sizes = fc.array(fc.integer({ min: 50, max: 250 }), { maxLength: 4 });
    const pieces = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, pieces, (messageSizes, chunking) => {
        const messages = messageSizes.map(longMessage);
        const { events } = decodeAll(framing, generousLimit, cut(streamOf(messages), chunking));
        expect(events).toEqual([...messageEvents(messages), 'end']);
      }),
      { numRuns: 50 },
    );
  });

  it('accepts a message as long as the limit and refuses one byte more', () => {
    const limits = anyLimit.filter((limit) => limit >= (subject.smallest ?? 0));
    const cases = limits.chain((limit) => {
      const around = fc.array(
        carriedBy(subject).filter(({ length }) => length <= limit),
        { maxLength: 3 },
      );
      return fc.record({
        limit: fc.constant(limit),
        before: around,
        fitting: carriedOfSize(subject, limit),
        tooLong: carriedOfSize(subject, limit + 1),
        behind: around,
      });
    });
    const policies = fc.constantFrom('close' as const, 'discard' as const);
    fc.assert(
      fc.property(cases, policies, anyChunking, ({ limit, before, fitting, tooLong, behind }, onTooLong, chunking) => {
        const options: DecoderOptions = { maxMessageLength: limit, onTooLong, encoding: 'binary' };
        const eventsOf = (messages: Uint8Array[]) =>
          decodeAll(framing, options, cut(streamOf(messages), chunking)).events;

        const allFit = [...before, fitting, ...behind];
        expect(eventsOf(allFit)).toEqual([...messageEvents(allFit), 'end']);
        expect(eventsOf([...before, tooLong, ...behind])).toEqual([
          ...messageEvents(before),
          `fault: YODEL_MESSAGE_TOO_LONG: message ${before.length + 1} is longer than the limit of ${limit} bytes`,
          ...(onTooLong === 'discard' ? messageEvents(behind) : []),
          'end',
        ]);
      }),
    );
  });

  it('decodes what it encodes, and refuses only what it could not decode', () => {
    fc.assert(
      fc.property(subject.message, (bytes) => {
        const expectedEvents = [...messageEvents([bytes]), 'end'];
        const eventsOf = (frame: Uint8Array) => decodeAll(framing, generousLimit, [frame]).events;
        const frame = tryEncode(framing, bytes);
        if (frame) expect(eventsOf(frame)).toEqual(expectedEvents);
        else for (const other of subject.framesOf(bytes)) expect(eventsOf(other)).not.toEqual(expectedEvents);
      }),
    );
  });

  it('returns batches with as many bytes as they claim', () => {
    fc.assert(
      fc.property(subject.input, anyOptions, anyChunking, (bytes, options, chunking) => {
        const decoder = framing.createDecoder(options);
        const batches = cut(bytes, chunking).map((chunk) => decoder.decode(chunk));
        for (const batch of [...batches, decoder.end()]) {
          const sizes = batch.slices.map((slice) => slice.length);
          expect(sizes.length).toBeLessThanOrEqual(2);
          expect(sizes).not.toContain(0);
          expect(batch.byteLength).toBe(sizes.reduce((total, size) => total + size, 0));
          expect(batch.count).toBe([...batch].length);
        }
      }),
    );
  });

  it('decodes any bytes to the same messages on every chunking', () => {
    fc.assert(
      fc.property(subject.input, anyOptions, anyChunking, (bytes, options, chunking) => {
        const outcome = decodeAll(framing, options, cut(bytes, inOneChunk));
        expect(decodeAll(framing, options, cut(bytes, chunking))).toEqual(outcome);
      }),
    );
  });

  it('decodes any bytes as documented', () => {
    fc.assert(
      fc.property(subject.input, anyOptions, anyChunking, (bytes, options, chunking) => {
        const { events } = decodeAll(framing, options, cut(bytes, chunking));
        expect(withoutReasons(events)).toEqual(withoutReasons(reference(Buffer.from(bytes), options)));
      }),
    );
  });
});
