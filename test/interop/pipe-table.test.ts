/** The exit statuses of pipes, beside those of nc, ncat and socat: the table in docs/pipes.md. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { shell } from '../support/shell.ts';
import { type Program, type Row, rows } from './pipe-rows.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/pipes.md'), 'utf8');
/** The versions whose statuses the table shows. Others may differ. */
const versions: Readonly<Record<Exclude<Program, 'yodel'>, readonly [command: string, version: string]>> = {
  nc: ['nc -h', 'Debian patchlevel 1.219'],
  ncat: ['ncat --version', 'Version 7.93'],
  socat: ['socat -V', 'version 1.7.4.4'],
};
/** How long a program that never ends is observed, in seconds, and the limit for all others. */
const hangs = 1.5;
const limit = 25;
const atOnce = 12;

/** The table, by the name of the row: the outcome of each program. */
function tableOf(text: string): Map<string, Partial<Record<Program, string>>> {
  const [, body = ''] = /<!-- pipes -->\n(.*?)<!-- \/pipes -->/s.exec(text) ?? [];
  const cells = body
    .trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return new Map(cells.map(([what = '', yodel, nc, ncat, socat]) => [what, { yodel, nc, ncat, socat }] as never));
}

const table = tableOf(page);

test('the table has a row for each pipe', () => {
  expect([...table.keys()]).toEqual(rows.map(({ what }) => what));
  expect(rows.length).toBeGreaterThanOrEqual(40);
});

function isInstalled(program: Program): boolean {
  if (program === 'yodel') return true;
  // What differs between runtimes is only yodel.
  if (process.versions.bun) return false;
  const [command, version] = versions[program];
  const { stdout, stderr } = spawnSync('sh', ['-c', command]);
  return `${stdout}${stderr}`.includes(version);
}

function commandOf(program: Program, flags: string, port: number): string {
  if (program === 'yodel') return `yodel connect 127.0.0.1:${port} ${flags}`;
  if (program === 'nc') return `nc ${flags} 127.0.0.1 ${port}`;
  if (program === 'ncat') return `ncat ${flags} 127.0.0.1 ${port}`;
  if (flags.includes('PORT')) return `socat - ${flags.replace('PORT', String(port))}`;
  return `socat ${flags} - TCP:127.0.0.1:${port}`;
}

const usualFlags: Readonly<Record<Program, string>> = { yodel: '', nc: '-N', ncat: '', socat: '-t 10' };

const ports = new Map<() => Promise<number>, Promise<number>>();

/** The port of a row's server, which serves all programs. */
function portOf({ port: begin }: Row): Promise<number> {
  const port = ports.get(begin) ?? begin();
  ports.set(begin, port);
  return port;
}

/** Runs a pipe. Resolves with its exit status, and whether the reply was lost. */
async function outcomeOf(row: Row, program: Program, isHanging: boolean): Promise<string> {
  const { input, output, to = '', flags } = row;
  const given = flags?.[program];
  if (given === null) return '-';
  const folder = temporaryFolder();
  const command = commandOf(program, given ?? usualFlags[program], await portOf(row));
  const timed = `timeout -s KILL ${isHanging ? hangs : limit} ${command}`;
  const line = `{ ${input}; } | { ${timed}; echo $? > status; } ${to}`;
  const { stdout } = await shell(line, { cwd: folder });
  const status = readFileSync(join(folder, 'status'), 'utf8').trim();
  if (status === '137') return 'hangs';
  const isLost = output !== undefined && !matches(stdout.toString('latin1'), output);
  return isLost ? `${status}, reply lost` : status;
}

function matches(text: string, expected: string | RegExp): boolean {
  return typeof expected === 'string' ? text === expected : expected.test(text);
}

test('each pipe has the outcome that the table shows', { timeout: 90_000 }, async () => {
  const programs = (['yodel', 'nc', 'ncat', 'socat'] as const).filter(isInstalled);
  const jobs = rows.flatMap((row) => programs.map((program) => ({ row, program })));
  const shown: Record<string, string> = {};
  const found: Record<string, string> = {};
  const next = jobs.values();
  const work = async () => {
    for (const { row, program } of next) {
      const documented = table.get(row.what)?.[program] ?? '';
      const key = `${row.what}: ${program}`;
      shown[key] = documented;
      const outcome = await outcomeOf(row, program, documented === 'hangs');
      // What depends on which event a program sees first has several outcomes.
      found[key] = documented.split(' or ').includes(outcome) ? documented : outcome;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  expect(found).toEqual(shown);
});
