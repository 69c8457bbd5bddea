import { describe, expect, it } from 'vitest';
import { startServer } from '../../interop/protocols/servers/server.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { testWith } from '../../support/tools.ts';

describe('yodel send', () => {
  it('sends messages and prints their replies', async () => {
    const server = await serve();
    const { stdout, status } = await yodel(['send', server.address, 'one', 'two words']);
    expect(stdout.toString()).toBe('one\ntwo words\n');
    expect(status).toBe(0);
  });

  it('names the message that was not answered', async () => {
    const { address } = await listen((socket) => socket.once('data', () => socket.write('a!\n')));
    const { stderr, status } = await yodel(['send', address, 'a', 'b', '--timeout', '1s']);
    expect(stderr).toBe('yodel: 1 of 2 messages was not answered within 1000 ms: 2: b\n');
    expect(status).toBe(3);
  });

  it('says what a server may expect that ends without a reply', async () => {
    const { address } = await listen((socket) => socket.once('data', () => socket.end()));
    const { stderr, status } = await yodel(['send', address, 'a']);
    expect(stderr).toMatch(
      /^yodel: 1 of 1 messages was not answered before the server ended: 1: a\nyodel: .* may expect TLS/,
    );
    expect(status).toBe(3);
  });

  it.each([
    ['escapes', ['-e', 'a\\tb\\x00\\\\'], 'a\tb\0\\\n'],
    ['hexadecimal digits', ['--hex', '61 ff:00'], 'a\xff\0\n'],
    ['CRLF', ['-C', 'a'], 'a\r\n'],
    ['neither', ['a\\n'], 'a\\n\n'],
  ])('sends %s', async (_, args, sent) => {
    let received = '';
    const { address } = await listen((socket) => {
      socket.once('data', (chunk: Buffer) => {
        received = chunk.toString('latin1');
        socket.end('ok\n');
      });
    });
    const { status } = await yodel(['send', address, ...args]);
    expect({ received, status }).toEqual({ received: sent, status: 0 });
  });

  it.each([
    ['-e', 'a\\q', 'message 1: unknown escape "\\q"; use '],
    ['--hex', '6', 'message 1: --hex takes pairs of hexadecimal digits, such as "00 ff 7e", not "6"'],
  ])('refuses with %s what it cannot read: %s', async (flag, message, text) => {
    const { stderr, status } = await yodel(['send', ':1', flag, message]);
    expect(stderr).toContain(`yodel: ${text}`);
    expect(status).toBe(2);
  });

  testWith('memcached', 'apt-get install memcached')(
    'sends requests of several lines, where they are one message',
    async () => {
      const { port } = await startServer((free) => [
        'memcached',
        '-u',
        'nobody',
        '-l',
        '127.0.0.1',
        '-p',
        String(free),
      ]);
      const set = 'set k 0 0 5\\r\\nhello';
      const sent = await yodel(['send', `:${port}`, '--protocol', 'memcached', '-e', set, 'get k', 'nonsense']);
      expect(sent.stdout.toString()).toBe('STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\nERROR\r\n');
      expect({ stderr: sent.stderr, status: sent.status }).toEqual({
        stderr: 'yodel: 1 of 3 replies reports an error: 3: ERROR\n',
        status: 3,
      });
      const input = 'set k 0 0 5\r\nworld\r\nget k\r\n';
      const piped = await yodel(['connect', `:${port}`, '--protocol', 'memcached', '--lockstep'], { input });
      expect(piped).toMatchObject({ stderr: '', status: 0 });
      expect(piped.stdout.toString()).toBe('STORED\r\nVALUE k 0 5\r\nworld\r\nEND\r\n');
    },
  );

  it('refuses a message that cannot be sent before connecting', async () => {
    const { stderr, status } = await yodel(['send', ':1', 'two\nlines']);
    expect(stderr).toContain('the message contains a line feed at offset 3');
    expect(status).not.toBe(0);
  });
});
