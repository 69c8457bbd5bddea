/** The option `errorReply`: what a peer receives as an error reply. */
import { describe, expect, it, vi } from 'vitest';
import { json } from '../../src/codec/json.ts';
import { YodelError } from '../../src/errors.ts';
import { length } from '../../src/framing/counted/length.ts';
import { resp } from '../../src/framing/grouped/resp.ts';
import { Message } from '../../src/framing/message.ts';
import { Harness, type HarnessOptions, serveOneClient } from './harness.ts';

const errorReply = (text: string, code: string) => `-${code} ${text}`;

const causes: [string, HarnessOptions, string][] = [
  [
    'a message that is too long',
    { maxMessageLength: 3 },
    '-YODEL_MESSAGE_TOO_LONG message 1 is longer than the limit of 3 bytes\n',
  ],
  [
    'a message that is discarded',
    { maxMessageLength: 3, onTooLong: 'discard' },
    '-YODEL_MESSAGE_TOO_LONG message 1 is longer than the limit of 3 bytes\nbye\n',
  ],
  [
    'a handler that throws',
    {
      handler() {
        throw new Error('secret');
      },
      telemetry: { handlerFailed: () => undefined },
    },
    '-YODEL_HANDLER_FAILED the handler failed on the server\n',
  ],
  [
    'an own error',
    { handler: (_, session) => session.close(new YodelError('APP_DENIED', 'ada may not', { reply: 'you may not' })) },
    '-APP_DENIED you may not\n',
  ],
];

describe('errorReply', () => {
  it.each(causes)('is what the peer receives after %s', async (_, options, expected) => {
    const { peer } = await serveOneClient({ errorReply, ...options });
    expect(await peer.says('hello\nbye\n')).toBe(expected);
  });

  it('is what clients receive that are refused', async () => {
    const harness = await Harness.open({ errorReply, maxConnections: 1 });
    await harness.connect();
    const refused = await harness.connect();
    expect(refused.text).toMatch(/^-YODEL_TOO_MANY_CONNECTIONS the server has reached its limit of 1 connections/);
  });

  it.each([
    ['bytes', () => Uint8Array.of(1, 2), '\0\x02\x01\x02'],
    ['a message', () => Message.of('no'), '\0\x02no'],
    ['nothing', () => undefined, ''],
  ])('may be %s', async (_, reply, expected) => {
    const { peer } = await serveOneClient({ framing: length({ bytes: 2 }), errorReply: reply, maxMessageLength: 3 });
    peer.connection.write(Buffer.from([0, 9]));
    await vi.waitFor(() => expect(peer.ended).toBe(true));
    expect(peer.text).toBe(expected);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'error: message 1 is longer than the limit of 3 bytes\n',
    ],
    ['returns what is no message', () => ['a'], 'error: message 1 is longer than the limit of 3 bytes\n'],
    ['returns what the framing cannot express', () => 'two\nlines', ''],
  ])('that %s closes the session all the same', async (_, reply, expected) => {
    const { peer } = await serveOneClient({ errorReply: reply as () => string, maxMessageLength: 3 });
    expect(await peer.says('hello\n')).toBe(expected);
    expect(peer.ended).toBe(true);
  });

  it('goes before what the framing and the codec say', async () => {
    const redis = await serveOneClient({ framing: resp(), errorReply: () => '-NO\r\n', maxMessageLength: 20 });
    expect(await redis.peer.says(`*1\r\n$30\r\n${'x'.repeat(30)}\r\n`)).toBe('-NO\r\n');
    const options = { codec: json(), errorReply: (text: string) => ({ failed: text }) };
    const values = await serveOneClient(options as unknown as HarnessOptions);
    expect(await values.peer.says('{\n')).toBe('{"failed":"invalid message: not JSON: it ends too early"}\n');
  });

  it('can be reloaded, for new sessions and refusals', async () => {
    const { harness, peer } = await serveOneClient({ errorReply, maxMessageLength: 3 });
    await harness.server.reload({ errorReply: () => 'changed', maxConnections: 2 });
    const later = await harness.connect();
    const refused = await harness.connect();
    expect(refused.text).toBe('changed\n');
    expect(await later.says('hello\n')).toBe('changed\n');
    expect(await peer.says('hello\n')).toMatch(/^-YODEL_MESSAGE_TOO_LONG/);
  });

  it('must be a function', async () => {
    await expect(Harness.open({ errorReply: '-ERR' as never })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: 'the option "errorReply" takes a function, not "-ERR"',
    });
  });
});
