import { describe, expect, it } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { raw } from '../../src/framing/raw.ts';
import { serve } from '../../src/server/server.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { type HarnessOptions, serveOneClient } from '../session/harness.ts';

/** Tries to serve with what a program without types might pass. */
function trial(options: object): Promise<unknown> {
  return serve({ transport: memoryTransport(), ...options });
}

describe('an unknown option', () => {
  it.each([
    ['maxConnection', 'maxConnections'],
    ['maxmessages', 'maxMessages'],
    ['idletimeout', 'idleTimeout'],
    ['Handler', 'handler'],
    ['listenn', 'listen'],
    ['highwatermark', 'highWaterMark'],
    ['onToLong', 'onTooLong'],
  ])('"%s" is refused, and "%s" suggested', async (name, right) => {
    await expect(trial({ [name]: 1 })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: `serve() has no option "${name}". Did you mean "${right}"?`,
    });
  });

  it('that is similar to no other is refused with a list of all', async () => {
    await expect(trial({ colour: 'red' })).rejects.toThrow(
      /^serve\(\) has no option "colour"\. Known: handler, codec, correlate, listen, framing, .*maxMessageLength, .*shutdownTimeout$/,
    );
  });
});

describe('an invalid value', () => {
  const cases: [object, string][] = [
    [{ maxMessageLength: 0 }, 'the option "maxMessageLength" takes a whole number from 1 to 1073741824, not 0'],
    [{ maxMessageLength: '512' }, 'the option "maxMessageLength" takes a whole number from 1 to 1073741824, not "512"'],
    [{ maxConnections: 1.5 }, 'the option "maxConnections" takes a whole number from 1 to 9007199254740991, not 1.5'],
    [{ idleTimeout: -1 }, 'the option "idleTimeout" takes a whole number from 0 (off) to 2147483647, not -1'],
    [{ idleTimeout: 2 ** 31 }, 'the option "idleTimeout" takes a whole number from 0 (off) to 2147483647'],
    [{ rate: Number.NaN }, 'the option "rate" takes a number from 0 (off) to 1000000000, not NaN'],
    [{ rate: Number.POSITIVE_INFINITY }, 'the option "rate" takes a number from 0 (off) to 1000000000, not Infinity'],
    [{ onTooLong: 'cut' }, 'the option "onTooLong" takes "close" or "discard", not "cut"'],
    [{ ratePolicy: null }, 'the option "ratePolicy" takes "delay" or "close", not null'],
    [{ encoding: 'utf-8' }, 'the option "encoding" takes "utf8" or "binary", not "utf-8"'],
    [{ maxMessages: 10n ** 30n }, 'not 1000000000000000000000000000000'],
    [
      { framing: lines },
      'the option "framing" takes a framing such as lines(), its text form such as "lines", or what',
    ],
    [{ framing: 'line' }, 'unknown framing "line". Did you mean "lines"?'],
  ];

  it.each(cases)('is refused: %o', async (options, expectedMessage) => {
    await expect(trial(options)).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining(expectedMessage),
    });
  });

  it.each([
    ['no function', 'echo'],
    ['no callback', {}],
    ['null', null],
  ])('is refused: a handler that is %s', async (_, handler) => {
    await expect(trial({ handler })).rejects.toMatchObject({ code: 'YODEL_INVALID_HANDLER' });
  });

  it('leaves nothing listening', async () => {
    const transport = memoryTransport();
    for (const [options] of cases) await expect(serve({ transport, ...options })).rejects.toThrow();
    await (await serve({ transport })).close();
  });
});

it('undefined is the same as leaving an option out', async () => {
  const names = ['handler', 'framing', 'encoding', 'maxMessages', 'idleTimeout', 'shutdownTimeout', 'signal'];
  const options: HarnessOptions = Object.fromEntries(names.map((name) => [name, undefined]));
  const { peer } = await serveOneClient(options);
  expect(await peer.says('hello\n')).toBe('hello\n');
});

describe('framing and encoding', () => {
  const invalid = Buffer.from('\xff\n', 'latin1');

  it.each([
    ['lines', undefined],
    ['delimiter:\\n', undefined],
    ['lines', 'utf8'],
  ] as const)('the framing "%s" with encoding %s checks that messages are text', async (framing, encoding) => {
    const { peer } = await serveOneClient({ framing, encoding });
    expect(await peer.says(invalid)).toContain('error: message 1 is not valid UTF-8');
  });

  it.each([
    ['lines', lines(), 'binary'],
    ['raw', raw(), undefined],
    ['raw', 'raw', 'binary'],
    ['length', length({ bytes: 1 }), undefined],
  ] as const)('the framing "%s" takes any bytes', async (name, framing, encoding) => {
    const { peer } = await serveOneClient({ framing, encoding });
    const bytes = name === 'length' ? Buffer.from('\x01\xff', 'latin1') : invalid;
    await peer.says(bytes);
    expect(peer.received.toString('hex')).toBe(bytes.toString('hex'));
  });

  it('the framing "length" validates text when configured to', async () => {
    const { peer } = await serveOneClient({ framing: 'length:1', encoding: 'utf8' });
    expect(await peer.says(Buffer.from('\x01a\x01\xff', 'latin1'))).toContain('error: message 2 is not valid UTF-8');
  });

  it('the framing "raw" cannot validate text, which is reported before a client connects', async () => {
    await expect(trial({ framing: 'raw', encoding: 'utf8' })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringContaining('use the encoding "binary", or the framing "lines"'),
    });
  });
});
