/** The command in place of a client of real servers, with --protocol. */
import { expect } from 'vitest';
import { yodel } from '../../support/process/command.ts';
import { ftp } from './servers/ftp.ts';
import { memcached } from './servers/memcached.ts';
import { pop3 } from './servers/pop3.ts';
import { redis } from './servers/redis.ts';
import { smtp } from './servers/smtp.ts';

/** Runs `yodel connect` or `send` and returns what it prints on stdout, with LF for CRLF. */
async function printed(args: string[], input = '', error = ''): Promise<string> {
  const { stdout, stderr, status } = await yodel(args, { input });
  expect({ status, stderr }).toEqual({ status: error === '' ? 0 : 3, stderr: error });
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
  const error = 'yodel: 1 of 4 replies reports an error: 4: ERROR\n';
  const output = await printed(['send', `:${port}`, '--protocol', 'memcached', ...commands], '', error);
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
  const error = "yodel: 1 of 7 replies reports an error: 6: -ERR There's no message 9.\n";
  const output = await printed(['connect', `:${port}`, '--protocol', 'pop3', '--lockstep'], commands, error);
  expect(output).toMatch(
    /^\+OK .*\n\+OK\n\+OK Logged in\.\n\+OK 1 \d+\n\+OK 1 messages:\n1 \d+\n\.\n\+OK \d+ octets\n/,
  );
  expect(output).toMatch(/\n\n\.\.dot line\n-ERR not a reply\n\+OK\n\.\n-ERR .*\n\+OK Logging out\.\n$/);
});
