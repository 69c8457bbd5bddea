/** One file is check and mock: each side of a transcript plays with the other. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { readTranscript } from '../../../src/cli/transcript-file.ts';
import { serve } from '../../../src/server/server.ts';
import { check } from '../../../src/transcript/check.ts';
import { mockServer } from '../../../src/transcript/mock/mock.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import { mocked, problemsOf } from './mocked.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);

/** The differences that a check finds at a mock of the same transcript, and what the mock says. */
async function both(text: string) {
  const one = await mocked(text, { tls });
  const transcript = parseTranscript(text, 'talk.transcript');
  const address = one.server.addresses[0];
  const { differences } = await check(transcript, { address, timeoutMs: 2000, tls: { insecure: true } });
  return { differences: differences.map(({ line, reason }) => `${line}: ${reason}`), problems: await problemsOf(one) };
}

const equal = { differences: [], problems: [] };

describe('a check of a mock of the same transcript shows no difference', () => {
  it.each([
    ['names with defaults', '< session {id=42}\n> use {id}\n< using {id}\n'],
    ['optional lines', '>? a\n<? A\n> b\n<? B\n< C\n'],
    ['any messages', '> a\n<*\n< b\n>*\n> c\n< d\n'],
    ['blocks in any order', '@unordered\n> a\n> b\n@end\n@unordered\n< c\n< d\n@end\n> e\n'],
    ['loops', '@repeat 3 i\n> a {i}\n< b {i}\n@end\n@repeat\n> c\n< d\n@end\n> e\n'],
    ['JSON', '>j {"id":{id=7},"a":[1,2]}\n<j {"id":{id},"ok":true}\n'],
    ['endings', '@ending crlf\n@expect-ending crlf\n> a\n< b\n@close\n@closed\n'],
    ['generated values', '> hello {random:8}\n< {now:unix} {uuid}\n'],
    ['bytes', '@framing raw\n>x 01 {crc32:61 62 63}\n<x 02 03\n> abc\n> def\n< ghi\n'],
    [
      'several clients',
      'Ada> hello\nBob> hi\nAda< Bob says hi\nBob> bye\n@close Bob\n@closed Bob\nAda> bye\nAda< bye\n',
    ],
    ['connections one after another', '> a\n< b\n@close\n@closed\n@connect\n> c\n< d\n@close\n@closed\n'],
    ['a reset', '> a\n< b\n@reset\n'],
    [
      'a second connection',
      '> PASV\n< 227 ({data})\n@connect data {data}\ndata> x\ndata< line 1\n@closed data\n@close data\n> QUIT\n',
    ],
    ['STARTTLS', '> a\n< b\n> STARTTLS\n< go\n@starttls\n> c\n< d\n'],
    [
      'STARTTLS in SMTP',
      '@protocol smtp\n< 220 ready\n> EHLO a\n< 250 STARTTLS\n> STARTTLS\n< 220 go\n@starttls\n> EHLO a\n< 250 ok\n' +
        '> DATA\n< 354 go\n> Subject: hi\n< 250 queued\n> QUIT\n< 221 bye\n@closed\n',
    ],
  ])('%s', async (_, text) => {
    expect(await both(text)).toEqual(equal);
  });
});

describe('a check of a mock of a file shows no difference', () => {
  // These have a line that one of the sides cannot send: a pattern, or a name without a value. They play the other side.
  const oneSided = ['broken.transcript', 'echo.transcript', 'greeting.transcript'];
  const root = join(import.meta.dirname, '..', '..', '..');
  const files = ['examples', 'test/transcript/recorded'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.transcript') && !(folder === 'examples' && oneSided.includes(name)))
      .map((name) => join(folder, name)),
  );

  it.each(files)('%s', async (file) => {
    const transcript = await readTranscript(join(root, file), { variables: {} });
    const mock = mockServer(transcript, { tls });
    const protocol = { ...transcript.protocol, encoding: 'binary' as const };
    const server = await serve({ listen: '127.0.0.1:0', lingerTimeout: 100, protocol, handler: mock });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const { differences } = await check(transcript, { address: server.addresses[0], timeoutMs: 5000 });
    expect(differences).toEqual([]);
    expect(await mock.done).toEqual({ isCompleted: true, completedRuns: 1, problems: [] });
  });
});

describe('STARTTLS', () => {
  const text = '> STARTTLS\n< go\n@starttls\n> secret\n< ok\n';

  it('a line in plain text that follows the request at once is a problem', async () => {
    const one = await mocked(text, { tls });
    const peer = await one.connect();
    peer.ended.catch(() => undefined);
    await peer.send('STARTTLS\nsecret\n');
    await peer.closed;
    expect(await problemsOf(one)).toEqual([expect.stringMatching(/^talk\.transcript:3: .*in plain text/)]);
  });

  it('a client that does not speak TLS is a problem', async () => {
    const one = await mocked(text, { tls });
    const peer = await one.connect();
    peer.ended.catch(() => undefined);
    await peer.ask('STARTTLS');
    await peer.send('secret\n');
    peer.end();
    await peer.closed;
    const [problem] = await problemsOf(one);
    expect(problem).toMatch(/^talk\.transcript:3: no TLS: /);
  });

  it('needs a certificate', async () => {
    await expect(mocked(text)).rejects.toThrow(
      'talk.transcript:3:1: a server needs a certificate for this: the option tls',
    );
  });
});

it('an address without a name for the port is refused before anything is served', async () => {
  await expect(mocked('< {x}\n@connect data {x}.example.org:99\ndata< a\n')).rejects.toThrow(
    'talk.transcript:2:1: a mock listens at a port of its own, which this address has no name for',
  );
});
