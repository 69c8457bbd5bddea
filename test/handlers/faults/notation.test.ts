import { describe, expect, it } from 'vitest';
import { checkFault } from '../../../src/handlers/faults/check.ts';
import { actionForms, type Fault, type FaultAction, type FaultCondition } from '../../../src/handlers/faults/fault.ts';
import { formatFault } from '../../../src/handlers/faults/format.ts';
import { parseFault, parseNamedFault } from '../../../src/handlers/faults/parse.ts';
import { fc } from '../../support/fast-check.ts';

/** The error for a text. */
function errorOf(text: string): string {
  try {
    parseFault(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`"${text}" is valid`);
}

describe('the notation of faults', () => {
  it.each<[string, Fault]>([
    ['drop', { action: { kind: 'drop' } }],
    ['request /QUIT/i reset', { direction: 'request', when: { pattern: /QUIT/i }, action: { kind: 'reset' } }],
    ['both latency 50ms±20ms', { direction: 'both', action: { kind: 'latency', time: 50, jitter: 20 } }],
    ['latency 1.5s+-200ms', { action: { kind: 'latency', time: 1500, jitter: 200 } }],
    [
      'reply 0.1% corrupt 2 frame',
      { direction: 'reply', when: { probability: 0.001 }, action: { kind: 'corrupt', bits: 2, frame: true } },
    ],
    [
      '10% of sessions from 3 every 10 duplicate 2',
      { when: { sessions: 0.1, from: 3, every: 10 }, action: { kind: 'duplicate', copies: 2 } },
    ],
    ['#5 reorder 2 1s', { when: { from: 5, to: 5 }, action: { kind: 'reorder', distance: 2, within: 1000 } }],
    ['#5-9 to 7 drop', { action: { kind: 'drop' } }],
    ['bandwidth 10KiB/s', { action: { kind: 'bandwidth', rate: 10_240 } }],
    ['chunk 10±3 2ms', { action: { kind: 'chunk', size: 10, variation: 3, interval: 2 } }],
    ['after 5s blackhole 1min', { when: { afterTime: 5000 }, action: { kind: 'blackhole', time: 60_000 } }],
    ['after 10KiB close', { when: { afterBytes: 10_240 }, action: { kind: 'close' } }],
    ['limit 100B', { action: { kind: 'limit', bytes: 100 } }],
    ['limit 10 messages', { action: { kind: 'limit', messages: 10 } }],
    ['limit 5s', { action: { kind: 'limit', time: 5000 } }],
    ['slow-close 0', { action: { kind: 'slow-close', time: 0 } }],
    ['/a \\/ b/ drop', { when: { pattern: /a \/ b/ }, action: { kind: 'drop' } }],
  ])('%s', (text, fault) => {
    if (text.startsWith('#5-9')) expect(() => parseFault(text)).toThrow('repeats a condition');
    else expect(parseFault(text)).toEqual(fault);
  });

  it('a name precedes an equals sign', () => {
    expect(parseNamedFault('slow-1 = reply latency 1s')).toMatchObject({ name: 'slow-1', direction: 'reply' });
    expect(parseNamedFault('/a=b/ drop').name).toBeUndefined();
    expect(() => parseNamedFault('a=dorp')).toThrow('column 3');
  });

  it.each([
    ['', 'column 1: the action is missing; it takes one of latency, bandwidth'],
    ['request', 'column 8: the action is missing'],
    ['request /QUIT/ rest', 'column 16: "rest" is neither a condition nor an action. Did you mean "reset"?'],
    ['30% reply drop', 'column 5: the direction comes first: "reply 10% drop"'],
    ['reply delay 5ms', 'column 7: "delay" is neither a condition nor an action. Did you mean "latency"?'],
    ['downstream drop', 'Did you mean "reply"?'],
    ['slicer 5', 'Did you mean "chunk"?'],
    ['drop 5', 'column 6: nothing is expected after "drop"'],
    ['latency', 'column 8: it takes latency TIME[±JITTER]'],
    ['latency 5', 'column 9: it takes latency TIME[±JITTER], not "5"'],
    ['latency 5ms±', 'it takes latency TIME[±JITTER], not "5ms±"'],
    ['chunk 5±5', 'it takes chunk SIZE[±SIZE] [TIME]'],
    ['bandwidth 0', 'it takes bandwidth SIZE/s, not "0"'],
    ['limit', 'it takes limit SIZE, N messages, or TIME'],
    ['limit 5m', 'it takes limit SIZE, N messages, or TIME, not "5m"'],
    ['101% drop', 'a percentage from 0% to 100%, not "101%"'],
    ['5% 6% drop', 'column 4: "6%" repeats a condition'],
    ['5% of clients drop', '"of" is followed by "sessions"'],
    ['#0 drop', 'a message number from 1 on'],
    ['every 0 drop', '"every" takes a message number from 1 on: every 3'],
    ['after 5m drop', '"5m" is minutes or mebibytes; write min or MiB'],
    ['after x drop', '"after" takes a time or a size'],
    ['/a drop', 'the pattern has no end'],
    ['/a(/ drop', 'the pattern is invalid'],
    ['/a/g drop', 'the flags of a pattern are i, m, s and u, not "g"'],
  ])('"%s" is refused', (text, expected) => {
    expect(errorOf(text)).toContain(expected);
  });

  it('every fault can be written, and is the same when it is read again', () => {
    fc.assert(
      fc.property(faults, (fault) => {
        checkFault(fault);
        const text = formatFault(fault);
        expect(formatFault(parseFault(text))).toBe(text);
        expect(parseFault(text)).toEqual({ ...fault, direction: fault.direction ?? 'reply' });
      }),
      { numRuns: 500 },
    );
  });

  it.each<[object, string]>([
    [{ action: { kind: 'dorp' } }, 'there is no action "dorp". Did you mean "drop"?'],
    [{ action: { kind: 'latency' } }, '"latency.time" takes'],
    [{ action: { kind: 'latency', time: 1, jiter: 1 } }, 'Did you mean "jitter"?'],
    [{ action: { kind: 'drop' }, when: { probability: 2 } }, '"probability" takes a share from 0 to 1, not 2'],
    [{ action: { kind: 'drop' }, when: { pattern: /a/g } }, 'the flag g or y'],
    [{ action: { kind: 'drop' }, direction: 'up' }, '"direction" takes'],
    [{ action: { kind: 'limit' } }, '"limit" takes bytes, messages or a time'],
    [{ action: { kind: 'limit', time: 5 }, when: { every: 2 } }, 'has no message that a condition could be about'],
    [{ action: { kind: 'chunk', size: 1.5 } }, '"chunk.size" takes'],
    [{ action: { kind: 'drop' }, name: 'a b' }, 'the name of a fault'],
  ])('the object %j is refused', (fault, expected) => {
    expect(() => checkFault(fault as Fault)).toThrow(expected);
  });
});

const count = fc.integer({ min: 1, max: 5000 });
const share = fc.integer({ min: 0, max: 1000 }).map((thousandth) => Number((thousandth / 1000).toPrecision(12)));
const actions: Readonly<Record<FaultAction['kind'], fc.Arbitrary<FaultAction>>> = {
  latency: fc.record({ kind: fc.constant('latency'), time: count, jitter: count }, { requiredKeys: ['kind', 'time'] }),
  bandwidth: fc.record({ kind: fc.constant('bandwidth'), rate: count }),
  chunk: fc.record({ kind: fc.constant('chunk'), size: count, interval: count }, { requiredKeys: ['kind', 'size'] }),
  corrupt: fc.record(
    { kind: fc.constant('corrupt'), bits: count, frame: fc.constant(true) },
    { requiredKeys: ['kind'] },
  ),
  drop: fc.constant({ kind: 'drop' }),
  duplicate: fc.record({ kind: fc.constant('duplicate'), copies: count }, { requiredKeys: ['kind'] }),
  reorder: fc.record({ kind: fc.constant('reorder'), distance: count, within: count }),
  reset: fc.constant({ kind: 'reset' }),
  close: fc.constant({ kind: 'close' }),
  blackhole: fc.record({ kind: fc.constant('blackhole'), time: count }, { requiredKeys: ['kind'] }),
  limit: fc.oneof(
    fc.record({ kind: fc.constant('limit'), bytes: count }),
    fc.record({ kind: fc.constant('limit'), messages: count }),
  ),
  'slow-close': fc.record({ kind: fc.constant('slow-close'), time: count }),
};

const conditions: fc.Arbitrary<FaultCondition> = fc.record(
  {
    probability: share,
    sessions: share,
    from: count,
    every: count,
    pattern: fc.constantFrom(/a b/i, /\/x/, /[/ ]$/s),
    afterTime: count,
    afterBytes: count,
  },
  { requiredKeys: [] },
);

const faults: fc.Arbitrary<Fault> = fc
  .record(
    {
      direction: fc.constantFrom('request', 'reply', 'both'),
      when: conditions,
      action: fc.oneof(...Object.values(actions)),
    },
    { requiredKeys: ['action'] },
  )
  .filter(({ when }) => when === undefined || Object.keys(when).length > 0)
  .map((fault) => (fault.action.kind === 'slow-close' ? { action: fault.action } : fault)) as fc.Arbitrary<Fault>;

it('every action has a form', () => {
  expect(Object.keys(actions)).toEqual(Object.keys(actionForms));
});
