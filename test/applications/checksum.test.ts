/** A framing of one's own does the same in both versions: examples/checksum.ts, and one that is written with node:net. */
import { expect, onTestFinished, test } from 'vitest';
import { serve } from 'yodel';
import checksum from '../../examples/checksum.ts';
import { fc } from '../support/fast-check.ts';
import { dial } from '../support/peer.ts';
import * as plain from './plain/checksum.ts';

/** Starts a server that answers each message with the same message. Resolves with its port. */
const versions: Readonly<Record<string, () => Promise<number>>> = {
  async yodel() {
    const server = await serve({ listen: 0, framing: checksum });
    onTestFinished(() => server.close());
    return Number(new URL(String(server.addresses[0])).port);
  },
  async 'node:net'() {
    const server = await plain.startServer((text) => text);
    onTestFinished(() => server.close());
    return server.port;
  },
};

function frame(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload as string);
  const sum = bytes.reduce((before, byte) => before ^ byte, 0);
  return Buffer.concat([
    Buffer.from('$'),
    bytes,
    Buffer.from(`*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`),
  ]);
}

const each = test.each(Object.entries(versions));

each('any sentences come back in any pieces, with %s', async (_, start) => {
  const port = await start();
  const byte = fc.integer({ min: 0, max: 255 }).filter((one) => one !== 10 && one !== 13);
  const sentence = fc.array(byte, { maxLength: 40 }).map((bytes) => frame(Uint8Array.from(bytes)));
  const property = async (sentences: readonly Buffer[], size: number) => {
    const peer = await dial(port);
    const bytes = Buffer.concat(sentences);
    for (let at = 0; at < bytes.length; at += size) await peer.send(bytes.subarray(at, at + size));
    expect(await peer.sawBytes(bytes.length)).toEqual(bytes);
    peer.end();
    expect(await peer.ended).toEqual(bytes);
  };
  const sentences = fc.array(sentence, { minLength: 1, maxLength: 10 });
  await fc.assert(fc.asyncProperty(sentences, fc.integer({ min: 1, max: 60 }), property), { numRuns: 20 });
});

each('a sentence of 64 KiB is accepted, and one more byte is refused before its end, with %s', async (_, start) => {
  const port = await start();
  const peer = await dial(port);
  const longest = frame('x'.repeat(65_536));
  await peer.send(longest);
  expect(await peer.sawBytes(longest.length)).toEqual(longest);
  await peer.send(`$${'x'.repeat(65_600)}`);
  expect((await peer.ended).subarray(longest.length).toString()).toMatch(
    /^\$error: .* longer than the limit of 65536 bytes\*..\r\n$/,
  );
});

const wrong = {
  'a wrong checksum': ['$hi*02\r\n', 'at byte 4: expected the checksum *01, not *02'],
  'no checksum': ['$\r\n', 'at byte 1: '],
  'another beginning': ['hi', 'at byte 1: expected "$"'],
} as const;
const cases = Object.keys(versions).flatMap((version) =>
  Object.entries(wrong).map(([what, of]) => [version, what, ...of] as const),
);

test.each(cases)(
  'with %s, %s is told, and ends the connection after the answers to what was right',
  async (version, _, bytes, problem) => {
    const port = await versions[version]?.();
    const peer = await dial(port as number);
    await peer.send(Buffer.concat([frame('one'), frame('two'), Buffer.from(bytes)]));
    const received = (await peer.ended).toString();
    const [error = '', ...rest] = received.split('\r\n').slice(2);
    expect(received.startsWith(`${frame('one')}${frame('two')}$error: `)).toBe(true);
    expect(error).toContain(problem);
    expect(frame(error.slice(1, -3)).toString()).toBe(`${error}\r\n`);
    expect(rest).toEqual(['']);
  },
);

each('a sentence that ends too early is not answered, with %s', async (_, start) => {
  const peer = await dial(await start());
  await peer.send(Buffer.concat([frame('whole'), frame('half').subarray(0, 4)]));
  peer.end();
  expect((await peer.ended).toString()).toMatch(/^\$whole\*..\r\n(\$error: .*\r\n)?$/);
});
