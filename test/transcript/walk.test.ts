/** The order in which steps are played: loops, values, and the decision about a loop without a count. */
import { describe, expect, it } from 'vitest';
import { bytesOf, matches, parsePlain } from '../../src/transcript/content.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { Values } from '../../src/transcript/values.ts';
import { changeValues, stepsIn, Walk, type WalkedStep, walked } from '../../src/transcript/walk.ts';

const stepsOf = (...lines: string[]) => parseTranscript(lines.join('\n')).steps;

/** A short text for a step: its line, and of a round its number. */
function named(step: WalkedStep | undefined): string {
  if (!step) return 'end';
  if (step.kind === 'round') return `round ${step.round}`;
  return step.kind === 'message' ? `${step.side}${step.line}` : step.kind;
}

describe('a walk', () => {
  it('plays a block the given number of times, also within another', () => {
    const steps = stepsOf('> a', '@repeat 2', '> b', '@repeat 2 i', '< c', '@end', '@end', '> d');
    const inner = ['round 1', '<5', 'round 2', '<5'];
    expect([...walked(steps)].map(named)).toEqual(['>1', 'round 1', '>3', ...inner, 'round 2', '>3', ...inner, '>8']);
  });

  it('plays a block without a count once, unless the player decides', () => {
    const steps = stepsOf('> a', '@repeat', '> b', '< b', '@end', '> c');
    expect([...walked(steps)].map(named)).toEqual(['>1', 'round 1', '>3', '<4', '>6']);
    const walk = new Walk(steps, { asks: true });
    expect(named(walk.next())).toBe('repeat');
    expect([walk.enter(), walk.next(), walk.next(), walk.next()].map(named)).toEqual(['round 1', '>3', '<4', 'repeat']);
    expect([walk.enter(), walk.next()].map(named)).toEqual(['round 2', '>3']);
    walk.next();
    expect([walk.next(), walk.leave(), walk.next(), walk.next()].map(named)).toEqual(['repeat', '>6', 'end', 'end']);
  });

  it('can leave a block without entering it, at the end of another block too', () => {
    const walk = new Walk(stepsOf('@repeat 2', '> a', '@repeat', '> b', '@end', '@end'), { asks: true });
    const seen: string[] = [];
    for (let step = walk.step; step; step = step.kind === 'repeat' ? walk.leave() : walk.next()) seen.push(named(step));
    expect(seen).toEqual(['round 1', '>2', 'repeat', 'round 2', '>2', 'repeat']);
  });

  it('leaves a block with next, and is not moved by enter and leave elsewhere', () => {
    const walk = new Walk(stepsOf('@repeat', '> a', '@end', '> b'), { asks: true });
    expect(named(walk.next())).toBe('>4');
    expect([walk.enter(), walk.leave(), walk.step].map(named)).toEqual(['>4', '>4', '>4']);
  });

  it('lists the steps as written', () => {
    const steps = stepsOf('@repeat 3', '@unordered', '< a', '< b', '@end', '@end', '@wait 1ms');
    expect([...stepsIn({ steps })].map(named)).toEqual(['repeat', 'unordered', '<3', '<4', 'wait']);
  });
});

describe('the values of names', () => {
  const text = (values: Values, name: string) => {
    const value = values.get(name);
    return value && Buffer.from(value).toString();
  };

  it('counts the rounds of a loop, and forgets what was captured in the round before', () => {
    const steps = stepsOf('@set before=1', '@repeat 2 i', '@set seen={i}', '@wait 0ms', '@end', '@wait 0ms');
    const values = new Values();
    const seen: unknown[] = [];
    for (const step of walked(steps)) {
      if (changeValues(step, values)) continue;
      seen.push([text(values, 'i'), text(values, 'seen'), text(values, 'late'), text(values, 'before')]);
      values.set('late', Buffer.from('x'));
    }
    expect(seen).toEqual([
      ['1', '1', undefined, '1'],
      ['2', '2', undefined, '1'],
      ['2', '2', 'x', '1'],
    ]);
  });

  it('forgets nothing that had a value before the loop, even if it has another one now', () => {
    const values = new Values({}, [['a', Buffer.from('1')]]);
    const loop = {};
    values.beginRound(loop, 1);
    values.set('a', Buffer.from('2'));
    values.set('b', Buffer.from('3'));
    values.beginRound(loop, 2);
    expect([text(values, 'a'), text(values, 'b')]).toEqual(['2', undefined]);
  });

  it('takes values from outside before those of @set', () => {
    const { steps, given } = parseTranscript('@set user=Ada\n@set other={user}!\n', 'talk', {
      variables: { user: 'Bob' },
    });
    const values = new Values({ given });
    for (const step of steps) changeValues(step, values);
    expect([text(values, 'user'), text(values, 'other')]).toEqual(['Bob', 'Bob!']);
  });

  it('evaluates @set when it is reached', () => {
    const steps = stepsOf('@set id={random:2}', '@set id={random:2}');
    let random = 0;
    const values = new Values({ random: (size) => new Uint8Array(size).fill(random++) });
    const seen = steps.map((step) => changeValues(step, values) && bytesOf(parsePlain('{id}'), values)?.toString());
    expect(seen).toEqual(['00', '11']);
  });

  it('what is random in @set is the choice of the side that sends it first', () => {
    const steps = stepsOf('@set id={random:4}', '@set key=key:{id}', '@set year={now:%Y}');
    const valuesAfter = () => {
      const values = new Values({ now: () => new Date(0) });
      for (const step of steps) changeValues(step, values);
      return values;
    };
    const sender = valuesAfter();
    const sent = bytesOf(parsePlain('SET {key} {year}'), sender) ?? Buffer.alloc(0);
    expect(sent.toString()).toMatch(/^SET key:[0-9a-z]{4} 1970$/);
    // What the value was made from has its value too.
    expect(sent.toString()).toContain(`:${text(sender, 'id')} `);
    const receiver = valuesAfter();
    expect(matches(parsePlain('SET {key} {year}'), sent, receiver)).toBe(true);
    expect(text(receiver, 'key')).toBe(text(sender, 'key'));
    expect(matches(parsePlain('SET {key} {year}'), Buffer.from('SET key:0000 1970'), receiver)).toBe(false);
    // The time is the same on both sides.
    expect(matches(parsePlain('SET {key} {year}'), Buffer.from('SET key:0000 1971'), valuesAfter())).toBe(false);
  });

  it('an offer that is made before a loop stays for all rounds', () => {
    const values = new Values();
    for (const step of walked(stepsOf('@set id={random:4}', '@repeat 3', '> {id}', '@end'))) {
      if (changeValues(step, values) || step.kind !== 'message') continue;
      expect(bytesOf(step.content, values)).toHaveLength(4);
    }
  });

  it('are independent of those of a copy, until it is taken over', () => {
    const values = new Values({ given: { g: '1' } });
    const copy = values.fork();
    copy.set('a', Buffer.from('x'));
    expect([values.has('a'), copy.has('g')]).toEqual([false, true]);
    values.adopt(copy);
    expect(text(values, 'a')).toBe('x');
  });
});
