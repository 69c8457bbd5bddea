import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serve, yodel } from '../../support/process/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A framing without an import: a type of one byte, a length of two. */
const typed = `
export default {
  name: 'typed',
  headerSize: 3,
  decode: (bytes: Buffer, start: number) => (bytes.length < start + 3 ? 0 : start + 3 + bytes.readUInt16BE(start + 1)),
  header: (bytes: Buffer, start: number) => bytes.subarray(start, start + 1),
  encode: (payload: Uint8Array, header: Uint8Array) =>
    Buffer.concat([Uint8Array.of(header[0] ?? 9, payload.length >> 8, payload.length & 255), payload]),
};
`;

beforeAll(() => {
  writeFileSync(join(folder, 'typed.ts'), typed);
  writeFileSync(join(folder, 'plain.ts'), "export default { framing: 'lines' };");
  writeFileSync(
    join(folder, 'both.ts'),
    `import typed from './typed.ts';
     export default { name: 'both', framing: 'lines', replyFraming: typed, greeting: 1 };`,
  );
  writeFileSync(
    join(folder, 'greets.ts'),
    "export default { open: () => 'welcome', message: (message) => message.text };",
  );
});

const inFolder = (input?: string | Uint8Array) => ({ cwd: folder, ...(input === undefined ? {} : { input }) });

describe('a framing in a file', () => {
  test('is used by serve, connect and send, with several processes too', async () => {
    for (const workers of ['1', '2']) {
      const server = await serve(['--framing', join(folder, 'typed.ts'), '--workers', workers]);
      const sent = await yodel(['send', server.address, 'hello', '--framing', './typed.ts'], inFolder());
      expect(sent).toMatchObject({ status: 0, stdout: Buffer.from('\x09\0\x05hello') });
      // The header of what a client sends is that of the reply.
      const frame = Buffer.from('\x07\0\x02hi');
      expect((await yodel(['connect', server.address, '--framing', './typed.ts'], inFolder(frame))).stdout).toEqual(
        frame,
      );
      await server.stop();
    }
  });

  test('is used by bench, whose processes load it too', async () => {
    const server = await serve(['--framing', join(folder, 'typed.ts')]);
    for (const threads of ['1', '2']) {
      const args = ['bench', server.address, '--framing', './typed.ts', '-n', '200', '-c', '2', '--threads', threads];
      const { status, stdout } = await yodel([...args, '--json'], inFolder());
      const report = JSON.parse(stdout.toString());
      expect(report).toMatchObject({ messages: { answered: 200 }, errors: [], options: { framing: 'typed' } });
      expect(status).toBe(0);
    }
  });

  test('is saved in a context with its absolute path', async () => {
    const env = { XDG_CONFIG_HOME: join(folder, 'config') };
    await yodel(['context', 'save', 'mine', ':1', '--framing', './typed.ts'], { cwd: folder, env });
    const { stdout } = await yodel(['context', 'show', 'mine'], { env });
    expect(stdout.toString()).toContain(`framing = "${join(folder, 'typed.ts')}"`);
  });

  test.each([
    ['a missing file', ['--framing', './none.ts'], 'the framing file ./none.ts does not exist'],
    ['a file that exports a protocol', ['--framing', './plain.ts'], 'it exports a protocol; use it with --protocol'],
    ['a framing as protocol', ['--protocol', './typed.ts'], 'it exports a framing; use it with --framing'],
    [
      'a wrong definition',
      ['--framing', './wrong.ts'],
      'the default export of ./wrong.ts cannot be used: the framing "wrong" has no encode',
    ],
  ])('is one clear line if it cannot be used: %s', async (_name, flags, problem) => {
    writeFileSync(join(folder, 'wrong.ts'), "export default { name: 'wrong', decode: () => 0 };");
    const { status, stderr } = await yodel(['send', ':1', 'x', ...flags], inFolder());
    expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
    expect(stderr).toMatch(problem);
    expect(status).toBe(2);
  });
});

describe('a recording', () => {
  const talk = '> hello\n< hello\n';
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

  test('names the file of its framing, relative to itself', async () => {
    const server = await serve(['--framing', join(folder, 'typed.ts')]);
    write('file.transcript', `@framing ./typed.ts\n${talk}`);
    write('protocol.transcript', `@protocol ./both.ts\n${talk}`);
    const transcript = join(folder, 'file.transcript');
    expect(await yodel(['check', transcript, server.address])).toMatchObject({ status: 0 });
    expect(await yodel(['replay', transcript, server.address])).toMatchObject({ status: 0 });
    const mock = await serve([transcript]);
    const sent = await yodel(['send', mock.address, 'hello', '--framing', './typed.ts'], inFolder());
    expect(sent.stdout.toString('latin1')).toBe('\x09\0\x05hello');
    const both = await serve([join(folder, 'protocol.transcript')]);
    expect(
      (await yodel(['send', both.address, 'hello', '--reply-framing', './typed.ts'], inFolder())).stdout.toString(
        'latin1',
      ),
    ).toBe('\x09\0\x05hello');
  });

  test('names its framing, whose file a flag gives', async () => {
    const journal = join(folder, 'typed.journal');
    const records = ['--journal', journal, '--journal-replies', '--record', join(folder, 'talks')];
    const server = await serve(['--framing', join(folder, 'typed.ts'), ...records]);
    await yodel(['send', server.address, 'hello', '--framing', './typed.ts'], inFolder());
    await server.stop();
    const again = await serve(['--framing', join(folder, 'typed.ts')]);
    const flags = ['--framing', './typed.ts'];
    const [talked = ''] = readdirSync(join(folder, 'talks'));
    const transcript = join(folder, 'talks', talked);
    expect(readFileSync(transcript, 'utf8')).toMatch(/^@framing typed$/m);
    for (const recording of [journal, transcript]) {
      expect(await yodel(['replay', recording, again.address, ...flags], inFolder())).toMatchObject({ status: 0 });
      const { status, stderr } = await yodel(['replay', recording, again.address]);
      expect(stderr).toMatch(/typed.*\.\/(FILE|mine)\.ts/);
      expect(status).toBe(2);
    }
    expect(await yodel(['check', transcript, again.address, ...flags], inFolder())).toMatchObject({ status: 0 });
    const mock = await serve([transcript, '--framing', join(folder, 'typed.ts')]);
    expect(await yodel(['send', mock.address, 'hello', ...flags], inFolder())).toMatchObject({ status: 0 });
  });

  test('is not read with a framing of the environment', async () => {
    const server = await serve();
    write('lines.transcript', talk);
    const transcript = join(folder, 'lines.transcript');
    const env = { YODEL_FRAMING: 'length:4', YODEL_PROTOCOL: 'smtp' };
    expect(await yodel(['check', transcript, server.address], { env })).toMatchObject({ status: 0 });
    expect(await yodel(['replay', transcript, server.address], { env })).toMatchObject({ status: 0 });
  });
});

describe('--reply-framing', () => {
  test('is the framing of what the server sends', async () => {
    const server = await serve(['--reply-framing', 'length:2']);
    const flags = ['--reply-framing', 'length:2'];
    const { stdout, status } = await yodel(
      ['connect', server.address, '--wait-replies', '--json', ...flags],
      inFolder('a\nbc\n'),
    );
    const replies = stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(replies.filter(({ direction }) => direction === 'received')).toMatchObject([{ text: 'a' }, { text: 'bc' }]);
    expect(status).toBe(0);
    const bench = await yodel(['bench', server.address, '-n', '50', '-c', '1', '--json', ...flags]);
    expect(JSON.parse(bench.stdout.toString())).toMatchObject({
      messages: { answered: 50 },
      options: { replies: 'count' },
    });
  });
});

describe('--protocol', () => {
  test('is a file with both framings and a greeting, which is no reply', async () => {
    const server = await serve([join(folder, 'greets.ts'), '--protocol', join(folder, 'both.ts')]);
    const args = ['send', server.address, 'hello', '--protocol', './both.ts', '--json'];
    const { stdout, status } = await yodel(args, inFolder());
    expect(status).toBe(0);
    const rows = stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows).toMatchObject([
      { direction: 'received', text: 'welcome' },
      { direction: 'sent', text: 'hello' },
      { direction: 'received', text: 'hello', rttMs: expect.any(Number) },
    ]);
    const piped = await yodel(['connect', server.address, '--protocol', './both.ts'], inFolder('x\n'));
    expect(piped).toMatchObject({ status: 0, stdout: Buffer.from('\x09\0\x07welcome\x09\0\x01x') });
    const bench = await yodel(
      ['bench', server.address, '-n', '50', '-c', '1', '--threads', '1', '--json', '--protocol', './both.ts'],
      inFolder(),
    );
    expect(JSON.parse(bench.stdout.toString())).toMatchObject({ messages: { answered: 50 }, errors: [] });
  });

  test('cannot be combined with --framing, but overrides a framing of the environment or a file', async () => {
    const both = await yodel(['send', ':1', 'x', '--protocol', 'smtp', '--framing', 'lines']);
    expect(both).toMatchObject({ status: 2, stderr: 'yodel: --protocol already says the framings; omit --framing\n' });
    writeFileSync(join(folder, 'yodel.toml'), 'framing = "length:4"\n');
    const file = join(folder, 'yodel.toml');
    const printed = async (args: readonly string[], env?: NodeJS.ProcessEnv) =>
      (await yodel(['config', 'print', file, ...args], env ? { env } : {})).stdout.toString();
    expect(await printed(['--protocol', 'smtp'])).toMatch(/^# framing +# not set$/m);
    const env = { YODEL_FRAMING: 'length:4', YODEL_REPLY_FRAMING: 'lines' };
    expect(await printed(['--protocol', 'smtp'], env)).toMatch(
      /^# framing +# not set$[\s\S]*^# replyFraming +# not set$/m,
    );
    expect(await printed(['--framing', 'raw'], { YODEL_PROTOCOL: 'smtp' })).toMatch(/^# protocol +# not set$/m);
    expect(await yodel(['config', 'check', file], { env: { YODEL_PROTOCOL: 'smtp' } })).toMatchObject({ status: 0 });
    expect(await yodel(['config', 'check', file], { env: { YODEL_PROTOCOL: 'nope' } })).toMatchObject({ status: 2 });
  });
});
