/**
 * Each line of recorded transcripts is changed, removed and doubled in turn, and checked against a server that plays the
 * original: the check is never green, and names the line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CheckResult } from '../../src/transcript/check.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { type Transcript, TranscriptError } from '../../src/transcript/transcript.ts';
import { checkAgainstOriginal } from '../support/transcripts.ts';

const folder = join(import.meta.dirname, 'recorded');
const files = readdirSync(folder).sort();

const messageLine = /^([A-Za-z]\w*)?([<>])/;

/** Another text for a line, which parses. */
function changed(line: string): string {
  if (/^(?:\w+)?[<>]b?x/.test(line)) return line.endsWith('0') ? `${line.slice(0, -1)}1` : `${line.slice(0, -1)}0`;
  if (/^(?:\w+)?[<>]$/.test(line)) return `${line} X`;
  if (/\|$/.test(line)) return `${line} X`;
  return line.endsWith(' ') ? `${line.slice(0, -1)}_` : `${line}X`;
}

const mutations = {
  changed: (lines: readonly string[], at: number) => lines.with(at, changed(lines[at] ?? '')),
  removed: (lines: readonly string[], at: number) => lines.toSpliced(at, 1),
  doubled: (lines: readonly string[], at: number) => lines.toSpliced(at, 0, lines[at] ?? ''),
};

type Mutation = keyof typeof mutations;

async function checked(original: Transcript, text: string): Promise<CheckResult | TranscriptError> {
  try {
    return await checkAgainstOriginal(original, parseTranscript(text, original.file));
  } catch (error) {
    // The line is refused before anything is sent.
    if (error instanceof TranscriptError) return error;
    throw error;
  }
}

/**
 * The lines that may be named for a mutated one. A message of the server: its line, the double, or one beside it; of several
 * equal lines in a row any. A request: up to the first reply to the next request, because the server may have answered this one
 * before it noticed.
 */
function linesToName(lines: readonly string[], at: number, side: string, text: string): number[] {
  const numbers = [...lines.keys()];
  const find = (from: number, is: (line: string) => boolean) =>
    numbers.find((index) => index >= from && is(lines[index] ?? '')) ?? lines.length;
  const before = numbers.findLast((index) => index < at && messageLine.test(lines[index] ?? '')) ?? 0;
  // With several clients, the server of the original waits for each in turn, and what one receives is late for the others.
  if (lines.filter((line) => line.startsWith('@connect')).length > 1) {
    const request = numbers.findLast((index) => index < at && /^\w*>/.test(lines[index] ?? '')) ?? 0;
    return numbers.filter((index) => index >= request).map((index) => index + 1);
  }
  const isRequest = (line: string) => /^\w*>/.test(line);
  const isReply = (line: string) => /^\w*</.test(line);
  const isOtherReply = (line: string) => isReply(line) && line !== text;
  const last =
    side === '<'
      ? find(at + 1, isOtherReply)
      : find(find(find(find(at + 1, isReply), isRequest) + 1, isReply), isReply);
  return numbers.filter((index) => index >= before && index <= last).map((index) => index + 1);
}

/**
 * Whether nothing of the server depends on a request: no reply follows, or after its replies the server says nothing more and
 * may only end. A client cannot tell then; a mock with `once` does.
 */
function isLastRequest(lines: readonly string[], at: number, kind: Mutation): boolean {
  const after = lines.slice(at + 1);
  const first = after.findIndex((line) => /^\w*</.test(line));
  if (kind === 'removed') return first === -1;
  const replies = after.slice(Math.max(first, 0));
  const next = replies.findIndex((line) => !/^\w*</.test(line));
  return !replies.slice(next).some((line) => /^\w*</.test(line));
}

/** The number of mutations that no check can see. */
let untold = 0;

describe.concurrent('each message of a recording, changed, removed or doubled, is noticed and named', () => {
  it.each(files)('%s', async (file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#+'));
    const original = parseTranscript(lines.join('\n'), file);
    expect(await checked(original, lines.join('\n'))).toMatchObject({ differences: [] });
    const places = [...lines.keys()].filter((index) => messageLine.test(lines[index] ?? ''));
    const all = places.flatMap((at) => Object.keys(mutations).map((kind) => ({ at, kind: kind as Mutation })));
    const problems = await Promise.all(all.map(({ at, kind }) => problemOf(original, lines, at, kind)));
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });
});

/** What is wrong with the check of one mutation, if anything. */
async function problemOf(original: Transcript, lines: readonly string[], at: number, kind: Mutation) {
  const line = lines[at] ?? '';
  const side = messageLine.exec(line)?.[2] ?? '';
  const mutated = mutations[kind](lines, at);
  const result = await checked(original, mutated.join('\n'));
  const named = result instanceof TranscriptError ? [result.line] : result.differences.map((one) => one.line);
  const [first] = named;
  if (first === undefined && side === '>' && isLastRequest(lines, at, kind)) {
    untold++;
    return undefined;
  }
  const allowed = linesToName(mutated, at, side, line);
  return first !== undefined && allowed.includes(first)
    ? undefined
    : { line: at + 1, kind, text: line, named, allowed };
}

it('hardly any change of a request remains unseen', () => {
  expect(untold).toBeLessThan(40);
});
