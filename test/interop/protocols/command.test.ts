/** The command between real clients and servers, and in place of a client, with --protocol. */
import { hash } from 'node:crypto';
import { expect } from 'vitest';
import { serve, yodel } from '../../support/process/command.ts';
import { type Relay, relay } from '../../support/relay.ts';
import { ftp } from './servers/ftp.ts';
import { lsp } from './servers/lsp.ts';
import { memcached } from './servers/memcached.ts';
import { mllp } from './servers/mllp.ts';
import { modbus } from './servers/modbus.ts';
import { mosquitto } from './servers/mosquitto.ts';
import { mysql } from './servers/mysql.ts';
import { nsd } from './servers/nsd.ts';
import { pop3 } from './servers/pop3.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';
import { smtp } from './servers/smtp.ts';

const proxied = [
  ['smtp', smtp],
  ['ftp', ftp],
  ['pop3', pop3],
  ['memcached', memcached],
  ['redis', redis],
  ['postgres', postgres],
  ['mysql', mysql],
  ['mqtt', mosquitto],
  ['dns', nsd],
  ['modbus', modbus],
  ['lsp', lsp],
  ['mllp', mllp],
] as const;

/** What passed on each connection, short enough to be printed. */
function digest(relayed: Relay): string[] {
  const short = (bytes: Buffer) => `${bytes.length}: ${hash('sha256', bytes)}`;
  return relayed.connections().map(({ sent, replied }) => `${short(sent)}, ${short(replied)}`);
}

for (const [protocol, program] of proxied) {
  program.test(`yodel serve proxy: --protocol ${protocol}: the client gets the server's bytes`, async () => {
    const behind = await relay(await program.start(), { repliedPiece: 3 });
    const proxy = await serve([`proxy:127.0.0.1:${behind.port}`, '--protocol', protocol, '--quiet']);
    const before = await relay(proxy.port, { sentPiece: 3 });
    expect(await program.ask(before.port)).toMatch(program.answer);
    await expect.poll(() => digest(behind)).toEqual(digest(before));
    const { stdout, stderr } = await proxy.stop();
    expect(stdout.toString()).toBe('');
    expect(stderr).not.toMatch(/error|warn/i);
  });
}

/** Runs `yodel connect` or `send` and returns what it prints on stdout, with LF for CRLF. */
async function printed(args: string[], input = ''): Promise<string> {
  const { stdout, stderr, status } = await yodel(args, { input });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.toString('latin1').replaceAll('\r\n', '\n');
}

smtp.test('yodel connect --protocol smtp sends commands from a pipe', async () => {
  const port = await smtp.start();
  const commands = 'EHLO client.example\nMAIL FROM:<a@client.example>\nRCPT TO:<b@server.example>\nNOOP\nQUIT\n';
  const output = await printed(['connect', `:${port}`, '--protocol', 'smtp'], commands);
  expect(output).toMatch(/^220 .*\n(?:250-.*\n)+250 HELP\n250 OK\n250 OK\n250 OK\n221 Bye\n$/);
});

redis.test('yodel connect --protocol redis prints whole values', async () => {
  const port = await redis.start();
  const commands = 'SET k "a b"\nGET k\nEVAL "return {1,{2,{}}}" 0\nNOSUCH\n';
  const output = await printed(['connect', `:${port}`, '--protocol', 'redis'], commands);
  expect(output).toMatch(/^\+OK\n\$3\na b\n\*2\n:1\n\*2\n:2\n\*0\n-ERR unknown command.*\n$/);
});

memcached.test('yodel send --protocol memcached waits for whole replies', async () => {
  const port = await memcached.start();
  const commands = ['set k 0 0 5\r\nEND\r\n', 'get k', 'get nothing', 'nosuch'];
  const output = await printed(['send', `:${port}`, '--protocol', 'memcached', ...commands]);
  expect(output).toBe('STORED\nVALUE k 0 5\nEND\n\nEND\nEND\nERROR\n');
});

ftp.test('yodel send --protocol ftp --wait-replies gets a reply to each request', async () => {
  const port = await ftp.start();
  const output = await printed(['send', `:${port}`, '--protocol', 'ftp', '--wait-replies', 'FEAT', 'SYST', 'QUIT']);
  expect(output).toMatch(/^220 .*\n211-Features supported:\n(?: .*\n)+211 End FEAT\.\n215 .*\n221 Goodbye\.\n$/);
});

pop3.test('yodel connect --protocol pop3 --lockstep reads a mail', async () => {
  const port = await pop3.start();
  const commands = 'USER me\nPASS secret\nSTAT\nLIST\nRETR 1\nRETR 9\nQUIT\n';
  const output = await printed(['connect', `:${port}`, '--protocol', 'pop3', '--lockstep'], commands);
  expect(output).toMatch(
    /^\+OK .*\n\+OK\n\+OK Logged in\.\n\+OK 1 \d+\n\+OK 1 messages:\n1 \d+\n\.\n\+OK \d+ octets\n/,
  );
  expect(output).toMatch(/\n\n\.\.dot line\n-ERR not a reply\n\+OK\n\.\n-ERR .*\n\+OK Logging out\.\n$/);
});
