/** Reads `--transcript` as plain data for the processes of a load test. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { scriptOf } from '../../load/scenario/script.ts';
import type { ScriptText } from '../../load/scenario/text.ts';
import { expectsSomething } from '../../transcript/expectations.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { UsageError } from '../fail.ts';
import { readTranscript } from '../transcript-file.ts';
import { readVariables } from '../transcript-variables.ts';
import { checkVariables } from '../unknown-variables.ts';
import { readGivenWire } from '../wire.ts';

/** @throws UsageError, TranscriptError */
export async function readScriptText(flags: Readonly<Record<string, unknown>>): Promise<ScriptText | undefined> {
  const variables = readVariables(flags.var);
  if (flags.transcript === undefined) {
    if (flags.var !== undefined) throw new UsageError('--var needs --transcript');
    return undefined;
  }
  const file = String(flags.transcript);
  const protocol = await readGivenWire(flags);
  const transcript = await readTranscript(file, { protocol, variables: { connection: '0', ...variables } });
  checkVariables(variables, [transcript]);
  refuseUnplayable(transcript, '>');
  const script = scriptOf(transcript);
  const loops = transcript.steps.filter((step) => step.kind === 'repeat' && step.count === undefined);
  if (loops[1]) {
    const text = 'only one @repeat without a number can be played over and over';
    throw new UsageError(`${loops[1].file ?? file}:${loops[1].line}: ${text}; give the other one a number`);
  }
  if (script.requests.length === 0) {
    const where = script.loop ? 'between @repeat and @end' : 'in the transcript';
    throw new UsageError(`${file}: no line of a client ${where}, so there is nothing to measure`);
  }
  if (!expectsSomething(script.loop ? { ...transcript, steps: script.loop.steps } : transcript)) {
    throw new UsageError(
      `${file}: no reply is expected, so there is nothing to measure; expected replies begin with <`,
    );
  }
  return {
    file,
    lines: transcript.lines,
    included: Object.fromEntries(transcript.included),
    variables,
    modules: modulesOf(transcript),
    requests: script.requests,
    hasWire: protocol !== undefined,
  };
}

/** The modules of `@use`, as paths like those of `readModule`. */
function modulesOf({ file, lines, included }: Transcript): string[] {
  const texts: [string, readonly string[]][] = [[file, lines], ...included];
  const paths = texts.flatMap(([from, own]) =>
    own.flatMap((line) => {
      const [, name] = /^@use[ \t]+(\S.*?)\s*$/.exec(line) ?? [];
      return name === undefined ? [] : [isAbsolute(name) ? name : join(dirname(from), name)];
    }),
  );
  return [...new Set(paths.map((path) => resolve(path)))];
}
