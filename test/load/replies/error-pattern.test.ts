import { expect, test } from 'vitest';
import { protocols } from '../../../src/framing/protocols/protocols.ts';
import { resolveWire } from '../../../src/framing/wire.ts';
import { CountMatcher } from '../../../src/load/replies/count.ts';
import { beginningsOf, ErrorPattern } from '../../../src/load/replies/error-pattern.ts';
import { AfterGreeting } from '../../../src/load/replies/greeting.ts';
import { fc } from '../../support/fast-check.ts';

const patterns = [
  ...[
    /^error:/,
    /^[-!]/,
    /^[45]\d\d/,
    /^(?:ERROR|CLIENT_ERROR)/,
    /^-ERR/,
    /^ab?c/,
    /^ab*/,
    /^a|b/,
    /^(?:a|b)?c/,
    /^[ab]?c/,
  ],
  ...[/^(?:a|bc){2}/, /^error/i, /^a$/m, /b/, /^(a|b)c/, /^a{0}b/, /^[^a]/, /^[a-c]d/, /^\d/, /^(?:a|b|)/, /^x(?=y)/],
];

test('every match begins with one of the beginnings of its pattern', () => {
  const texts = fc.string({ unit: fc.constantFrom(...'abcdxyERO_CLIT-!45\n:rRo') });
  for (const pattern of patterns) {
    const beginnings = beginningsOf(pattern);
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom('', 'error:', '-ERR', 'ERROR', 'CLIENT_ERROR', '451', 'ERROR:', 'Error'),
        (text, start) => {
          const whole = start + text;
          if (!pattern.test(whole)) return;
          expect(beginnings?.some((beginning) => whole.startsWith(beginning)) ?? true, `${pattern} ${whole}`).toBe(
            true,
          );
        },
      ),
    );
  }
});

test('the beginnings of the usual patterns are known', () => {
  expect(beginningsOf(/^error:/)).toEqual(['error:']);
  expect(beginningsOf(/^[-!]/)).toEqual(['-', '!']);
  expect(beginningsOf(/^(?:ERROR|CLIENT_ERROR)/)).toEqual(['ERROR', 'CLIENT_ERROR']);
  expect(beginningsOf(/^ab?/)).toEqual(['a']);
  expect(beginningsOf(/error/)).toBeUndefined();
});

test('replies that report an error are found at their places, whatever the chunks', () => {
  const text = 'fine\nerror: no\nnot an error:\nerror: again\n\n';
  fc.assert(
    fc.property(fc.integer({ min: 1, max: text.length }), (size) => {
      const protocol = resolveWire({ framing: 'lines' });
      const matcher = new CountMatcher({ protocol, errors: ErrorPattern.of(protocol) });
      let count = 0;
      const found: number[] = [];
      for (let at = 0; at < text.length; at += size) {
        const replies = matcher.match(Buffer.from(text.slice(at, at + size)));
        found.push(...matcher.failed.map((index) => count + index));
        count += replies;
      }
      expect({ count, found, text: matcher.failedText }).toEqual({ count: 5, found: [1, 3], text: '"error: no"' });
    }),
  );
});

test('a greeting that reports an error is a fault, and no reply', () => {
  const [smtp] = protocols.filter(({ name }) => name === 'smtp');
  if (!smtp) throw new Error('no smtp');
  const matcher = new CountMatcher({ protocol: smtp, greeting: 1, errors: ErrorPattern.of(smtp) });
  expect(matcher.match(Buffer.from('554 go away\r\n'))).toBe(0);
  expect(matcher.fault).toMatchObject({ code: 'YODEL_ERROR_REPLY', message: expect.stringContaining('554 go away') });
});

test('a greeting before echoes is skipped, whatever the chunks; more than that is a fault', () => {
  const { replyFraming } = resolveWire({ framing: 'lines' });
  for (const size of [1, 2, 5, 50]) {
    const matcher = new AfterGreeting(replyFraming, 2, undefined);
    const greeting = 'welcome\nto this\n';
    for (let at = 0; at < greeting.length; at += size) matcher.match(Buffer.from(greeting.slice(at, at + size)));
    expect([matcher.greetingLeft, matcher.fault]).toEqual([0, undefined]);
  }
  const matcher = new AfterGreeting(replyFraming, 1, undefined);
  matcher.match(Buffer.from('welcome\nmo'));
  expect(matcher.fault?.message).toBe('the server sent more than its greeting before any request: "mo"');
});
