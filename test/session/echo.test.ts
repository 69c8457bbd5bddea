import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { settled } from '../../src/testing/turns.ts';
import { fc } from '../support/fast-check.ts';
import { serveOneClient } from './harness.ts';

const inputs = {
  'LF lines': 'one\ntwo\n\nthree\n',
  'CRLF lines': 'one\r\ntwo\r\n\r\nthree\r\n',
  'mixed endings and lone CRs': 'a\r\nb\nc\rd\n\re\r\r\n',
  'text beyond ASCII': 'grüße\n日本語\n🎉🎉\n',
  'NUL and other control characters': '\0\n\x01\x1b[31m\n',
  'an unterminated last line': 'one\ntwo\nthree',
  'an unterminated last line that ends in CR': 'one\r\ntwo\r',
};

describe('echo sends back exactly the bytes it received', () => {
  const cases = Object.entries(inputs).flatMap(([name, input]) =>
    [1, 2, 3, 4, 7, 64, undefined].map((chunkSize) => ({ name, input, chunkSize })),
  );

  it.each(cases)('$name in chunks of $chunkSize', async ({ input, chunkSize }) => {
    const { peer } = await serveOneClient({ network: chunkSize ? { chunkSize } : {} });
    await peer.says(input);
    await peer.ends();
    expect(peer.text).toBe(input);
    expect(peer.closed).toBe(true);
    expect(peer.error).toBeUndefined();
  });

  it('every possible byte, with the encoding "binary"', async () => {
    const { peer } = await serveOneClient({ encoding: 'binary', network: { chunkSize: 5 } });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await peer.says(bytes);
    await peer.ends();
    expect(peer.received.equals(bytes)).toBe(true);
  });

  it('whole frames of the framing "length", with what precedes their length field', async () => {
    const framing = length({ bytes: 2, offset: 2 });
    const { peer } = await serveOneClient({ framing, network: { chunkSize: 3 } });
    const frames = Buffer.from('aaaa0002686900010000bbbb0001ff', 'hex');
    await peer.says(frames);
    expect(peer.received.toString('hex')).toBe(frames.toString('hex'));
  });

  it('every chunk of the framing "raw", as soon as it arrives', async () => {
    const { peer } = await serveOneClient({ framing: 'raw' });
    expect(await peer.says('no line')).toBe('no line');
    expect(await peer.says(' at all')).toBe(' at all');
  });

  it('megabytes, through a connection that buffers little', async () => {
    const { peer } = await serveOneClient({ network: { capacity: 10_000 } });
    const input = Array.from({ length: 100_000 }, (_, number) => `line ${number}\n`).join('');
    await peer.says(input);
    expect(peer.text === input).toBe(true);
  });

  it('anything, on any connection', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-zé\r\n🎉]*$/u)),
        fc.record({ chunkSize: fc.integer({ min: 1, max: 20 }), capacity: fc.integer({ min: 1, max: 50 }) }),
        fc.boolean(),
        async (parts, network, forMessages) => {
          const harness = forMessages ? { handler: { message: <T>(message: T) => message } } : {};
          const { peer, harness: opened } = await serveOneClient({ network, ...harness });
          for (const part of parts) peer.connection.write(Buffer.from(part));
          peer.connection.end();
          await settled();
          expect(peer.text).toBe(parts.join(''));
          expect(peer.closed).toBe(true);
          await opened.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
