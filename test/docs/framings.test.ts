/** The examples of docs/framings.md are what the framings do. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseBytes } from '../../src/framing/escapes.ts';
import { decodeChunk } from '../../src/framing/framing.ts';
import { framingKinds, parseFraming } from '../../src/framing/notation.ts';

const page = readFileSync(new URL('../../docs/framings.md', import.meta.url), 'utf8');

const examples = [...page.matchAll(/^```framing\n(.*)\n([\s\S]*?)^```$/gm)].flatMap(([, framing = '', rows = '']) =>
  rows
    .trimEnd()
    .split('\n')
    .map((row) => {
      const [, input = '', due = ''] = /^(.*?) {2,}(.*)$/.exec(row) ?? [];
      return [framing, input, due] as const;
    }),
);

/** Bytes as they are written on the page. */
function written(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\r', '\\r').replaceAll('\n', '\\n');
  return `"${text.replace(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

/** Escapes of the page other than `\r` and `\n` in the form of `written`. */
function inOneForm(due: string): string {
  return due.replace(/\\x([2-7][0-9a-f])/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

it('has examples', () => {
  expect(examples.length).toBeGreaterThan(25);
});

it.each(examples)('in %s, %s is %s', (notation, input, due) => {
  const framing = parseFraming(notation);
  const decoder = framing.createDecoder({ maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' });
  const results: string[] = [];
  for (const batch of [...decodeChunk(decoder, parseBytes(input)), decoder.end()]) {
    for (const { bytes, header } of batch) {
      results.push(header.length > 0 ? `${written(bytes)} header ${written(header)}` : written(bytes));
    }
    if (batch.fault) results.push(batch.fault.message.replace(/^.*?: (?=at byte)/, 'error: '));
  }
  expect(results.join(' ')).toBe(inOneForm(due));
});

it('names every kind of framing', () => {
  for (const { name } of framingKinds) {
    expect(page).toContain(`| ${name} |`);
    expect(page).toContain(`\n## ${name}\n`);
  }
});
