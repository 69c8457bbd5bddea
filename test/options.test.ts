import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkOption, type OptionSpec, refuseUnknown, resolveOptions } from '../src/option-values.ts';
import {
  clientOptions,
  poolOptions,
  processOptions,
  reconnectOptions,
  serverOptions,
  sessionOptions,
} from '../src/options.ts';

const tables: Record<string, Record<string, OptionSpec>> = {
  sessionOptions,
  serverOptions,
  processOptions,
  clientOptions,
  reconnectOptions,
  poolOptions,
};
const rows = Object.entries(tables).flatMap(([table, options]) =>
  Object.entries(options).map(([name, spec]) => ({ table, name, spec })),
);
const sourceOf = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

describe.each(rows)('$name in $table', ({ table, name, spec }) => {
  it('has a default that it allows', () => {
    expect(() => checkOption(name, spec, spec.default)).not.toThrow();
    expect(resolveOptions({ [name]: spec }, {})).toEqual({ [name]: spec.default });
  });

  it('is described by one sentence, and its default has a reason', () => {
    expect(spec.summary).toMatch(/^[A-Z].*\.$/);
    expect(spec.reason).toMatch(/^\w.*\.$/);
  });

  it('is described in the source as in its summary', () => {
    const source = ['options', 'session-options', 'client-options'].map((name) => sourceOf(`src/${name}.ts`)).join('');
    const body = source.slice(source.indexOf(`export const ${table} = {`));
    const comment = new RegExp(`\\n {2}/\\*\\* (.*) \\*/\\n {2}${name}: \\{`).exec(body)?.[1];
    expect(comment).toBe(spec.summary);
  });

  it('takes 0 only where 0 has a meaning', () => {
    if (spec.kind === 'choice') return;
    const zero = () => checkOption(name, spec, 0);
    if (spec.off === undefined) expect(zero).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_OPTION' }));
    else expect(zero).not.toThrow();
  });

  it('allows only its choices, if it is a choice', () => {
    if (spec.kind !== 'choice') return expect(spec.choices).toBeUndefined();
    for (const word of spec.choices ?? []) expect(() => checkOption(name, spec, word)).not.toThrow();
    expect(() => checkOption(name, spec, 'another')).toThrow(/takes "\w+"( or "\w+")+, not "another"$/);
  });
});

describe('the options of one program', () => {
  it('have different names on the command line', () => {
    const served = rows.filter(({ table }) => ['sessionOptions', 'serverOptions', 'processOptions'].includes(table));
    const names = served.map(({ name, spec }) => spec.flag ?? name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a value', () => {
  const size: OptionSpec = { kind: 'size', default: 1, max: 100, summary: '', reason: '' };
  const count: OptionSpec = { kind: 'count', default: 0, off: 'any', summary: '', reason: '' };
  const rate: OptionSpec = { kind: 'rate', default: 0, off: 'none', max: 10, summary: '', reason: '' };

  it.each([
    [size, 1],
    [size, 100],
    [count, 0],
    [count, Number.MAX_SAFE_INTEGER],
    [rate, 0.001],
    [rate, 10],
  ])('is accepted if it is allowed: %o', (spec, value) => {
    expect(resolveOptions({ spec }, { spec: value })).toEqual({ spec: value });
  });

  it.each([
    [size, 0, 'a whole number from 1 to 100, not 0'],
    [size, 101, 'a whole number from 1 to 100, not 101'],
    [size, 1.5, 'a whole number from 1 to 100, not 1.5'],
    [size, '50', 'a whole number from 1 to 100, not "50"'],
    [size, null, 'a whole number from 1 to 100, not null'],
    [size, true, 'a whole number from 1 to 100, not true'],
    [count, -1, 'a whole number from 0 (off) to 9007199254740991, not -1'],
    [count, 2 ** 53, 'a whole number from 0 (off) to 9007199254740991, not 9007199254740992'],
    [rate, -0.5, 'a number from 0 (off) to 10, not -0.5'],
    [rate, Number.NaN, 'a number from 0 (off) to 10, not NaN'],
    [rate, Number.POSITIVE_INFINITY, 'a number from 0 (off) to 10, not Infinity'],
  ])('is refused with a description of the allowed values: %o %s', (spec, value, right) => {
    expect(() => resolveOptions({ limit: spec }, { limit: value })).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: `the option "limit" takes ${right}` }),
    );
  });
});

describe('an unknown name', () => {
  const known = ['maxConnections', 'maxMessages', 'idleTimeout', 'rate'];

  it('is refused with a suggestion', () => {
    expect(() => refuseUnknown({ rate: 1, idelTimeout: 2 }, known, 'serve()')).toThrow(
      expect.objectContaining({
        code: 'YODEL_INVALID_OPTION',
        message: 'serve() has no option "idelTimeout". Did you mean "idleTimeout"?',
      }),
    );
  });

  it('is refused with the known names if none of them is similar', () => {
    expect(() => refuseUnknown({ banana: 1 }, known, 'serve()')).toThrow(
      'serve() has no option "banana". Known: maxConnections, maxMessages, idleTimeout, rate',
    );
  });

  it('is not reported when all names are known', () => {
    expect(() => refuseUnknown({ rate: undefined, maxMessages: 1 }, known, 'serve()')).not.toThrow();
  });
});
