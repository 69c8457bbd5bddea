/** Runs each command of docs/public.md, on free ports. */
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryFolder } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { run, serve, start, yodel } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const page = readFileSync(new URL('../../docs/public.md', import.meta.url), 'utf8');
const commands = [...page.matchAll(/^\$ yodel serve (.*)$/gm)].map(([, flags = '']) => flags);

testWith('openssl', 'apt-get install openssl')('every command of the page listens at its address', async () => {
  expect(commands.length).toBeGreaterThan(5);
  const cwd = temporaryFolder();
  const { certificate, key } = makeCertificate();
  copyFileSync(certificate, join(cwd, 'cert.pem'));
  copyFileSync(key, join(cwd, 'key.pem'));
  for (const command of commands) {
    const flags = command
      .replace('--drain-delay 10s', '')
      .split(' ')
      .filter(Boolean)
      .map((word) => word.replace(/:\d{4}$/, ':0').replace('0.0.0.0:', '127.0.0.1:'));
    const server = await serve(flags, { cwd });
    for (const scheme of ['tls', 'ws'].filter((one) => command.includes(`${one}://`))) {
      await server.saw(new RegExp(`listening on ${scheme}://127\\.0\\.0\\.1:\\d+`));
    }
    expect((await server.stop()).status, command).toBe(0);
  }
});

test('the log line on the page has the fields that the server writes', async () => {
  const [example = ''] = /^\{.*"event":"closed".*$/m.exec(page) ?? [];
  const server = await serve([], { env: { YODEL_LOG_FORMAT: 'json' } });
  await yodel(['connect', server.address], { input: 'hello\nwörld 你好 🎉\n' });
  const [line = ''] = await server.saw(/^\{.*"event":"closed".*$/m);
  const shapeOf = (text: string) => Object.entries(JSON.parse(text)).map(([name, value]) => [name, typeof value]);
  expect(shapeOf(example)).toEqual(shapeOf(line));
  const counts = /"messagesReceived":2,"messagesSent":2,"bytesReceived":25,"bytesSent":25,"reason":"peer"/;
  for (const text of [example, line]) expect(text).toMatch(counts);
  for (const text of [page, readFileSync(new URL('../../README.md', import.meta.url), 'utf8')]) {
    expect(text).toMatch(closedLine(2, 2));
  }
});

testWith('openssl', 'apt-get install openssl')(
  'the configuration file on the page is valid, and `yodel config` prints what the page shows',
  async () => {
    const [, file = ''] = /```toml\n(# yodel\.toml\n.*?)```/s.exec(page) ?? [];
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'yodel.toml'), file);
    writeFileSync(join(cwd, 'handler.ts'), 'export default (message) => message;');
    const pair = makeCertificate();
    for (const name of ['cert.pem', 'other.pem']) copyFileSync(pair.certificate, join(cwd, name));
    for (const name of ['key.pem', 'other-key.pem']) {
      copyFileSync(pair.key, join(cwd, name));
      chmodSync(join(cwd, name), 0o600);
    }
    const check = await yodel(['config', 'check', 'yodel.toml'], { cwd });
    expect(check.stderr).toBe('');
    expect(page).toContain(`$ yodel config check yodel.toml\n${check.stdout}`);
    const print = await yodel(['config', 'print', 'yodel.toml', '--rate', '5/s'], { cwd });
    expect(print.stdout.toString()).toMatch(/^idleTimeout = "1m" +# yodel\.toml$/m);
    expect(print.stdout.toString()).toMatch(/^rate = "5\/s" +# --rate$/m);
  },
);

testWith('openssl', 'apt-get install openssl')(
  'the certificates that the page makes are those of the program, and the client gets the answers that the page shows',
  async () => {
    const [, script = ''] = /```sh\n(certify\(\).*?)```/s.exec(page) ?? [];
    const [, flags = '', dialogue = ''] =
      /^\$ yodel connect tls:\/\/127\.0\.0\.1:PORT ([^\n]*)\n(.*?)```/ms.exec(page) ?? [];
    const cwd = temporaryFolder();
    expect((await run(['sh', '-e', '-c', script], { cwd })).status).toBe(0);
    const program = start([process.execPath, new URL('../../examples/mtls.ts', import.meta.url).pathname], { cwd });
    const [, address = ''] = await program.saw(/listening on (\S+)/);
    const lines = dialogue.trimEnd().split('\n');
    const asked = lines.filter((_, index) => index % 2 === 0);
    expect(asked).toHaveLength(2);
    const { stdout } = await yodel(['connect', address, ...flags.split(' ')], { cwd, input: `${asked.join('\n')}\n` });
    expect(stdout.toString().trimEnd().split('\n')).toEqual(lines.filter((_, index) => index % 2 === 1));
    await program.stop();
  },
);
