import { describe, expect, it } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import { resolveWire, type WireOptions } from '../../src/framing/wire.ts';

describe('a protocol of a program', () => {
  it('takes framings and their text forms', () => {
    const { framing, replyFraming, encoding, greeting } = resolveWire({
      protocol: { framing: 'lines', replyFraming: length({ bytes: 2 }), greeting: 1 },
    });
    expect([framing.name, replyFraming.name, encoding, greeting]).toEqual(['lines', 'length:2', 'binary', 1]);
  });

  it('has one framing for both directions if it says no other', () => {
    const { framing, replyFraming, encoding } = resolveWire({ protocol: { framing: 'lines' } });
    expect(replyFraming).toBe(framing);
    expect(encoding).toBe('utf8');
  });

  it('may be one that yodel knows', () => {
    const smtp = protocolNamed('smtp');
    expect(resolveWire({ protocol: smtp })).toEqual(smtp);
    expect(resolveWire({ protocol: smtp, encoding: 'binary' }).encoding).toBe('binary');
  });

  it.each<[string, unknown, string]>([
    [
      'no object',
      5,
      'the option "protocol" takes a name such as "smtp", or an object with "framing" and "replyFraming"',
    ],
    ['empty', {}, 'the option "protocol" takes a name such as "smtp", or an object with "framing" and "replyFraming"'],
    [
      'with a misspelt member',
      { framing: lines(), greetings: 1 },
      'the option "protocol" has no option "greetings". Did you mean "greeting"?',
    ],
    [
      'with a greeting that is no number',
      { framing: lines(), greeting: 'x' },
      'the option "protocol.greeting" takes a whole number from 0 (off) to 9007199254740991, not "x"',
    ],
    [
      'with a pattern in text form',
      { framing: lines(), errorPattern: '^-' },
      'the option "protocol.errorPattern" takes a regular expression',
    ],
    [
      'with a definition that is no framing yet',
      { framing: { name: 'x', decode: () => 0, encode: () => Buffer.of() } },
      'the option "protocol.framing" takes a framing such as lines(), its text form such as "lines", or what defineFraming() returns',
    ],
  ])('is refused %s', (_what, protocol, message) => {
    const refused = () => resolveWire({ protocol } as WireOptions);
    expect(refused).toThrow(YodelError);
    expect(refused).toThrow(expect.objectContaining({ message }));
  });
});
