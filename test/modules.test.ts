/** The import rules of the modules of src/, tried on imports that break them and on imports that do not. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { run } from './support/process/command.ts';

const root = new URL('../', import.meta.url).pathname;

const forbidden = [
  ['.', './cli/fail.ts'],
  ['.', './framing/framing.ts'],
  ['.', './index.ts'],
  ['.', 'node:fs'],
  ['.', 'ws'],
  ['format', '../framing/framing.ts'],
  ['format', 'node:fs'],
  ['format', 'ws'],
  ['framing', '../clock.ts'],
  ['format', '../clock.ts'],
  ['framing', '../session/handler.ts'],
  ['framing', '../transport/transport.ts'],
  ['framing', 'node:net'],
  ['framing', 'bun'],
  ['framing', 'bun:sqlite'],
  ['framing', 'ws'],
  ['testing', '../client/client.ts'],
  ['testing', '../transport/node.ts'],
  ['handlers', '../testing/message.ts'],
  ['session', '../testing/message.ts'],
  ['server', '../testing/message.ts'],
  ['client', '../testing/message.ts'],
  ['testing', 'node:fs'],
  ['testing', 'vitest'],
  ['transport', '../session/handler.ts'],
  ['transport', '../load/run.ts'],
  ['telemetry', '../session/session.ts'],
  ['telemetry', '../log/log.ts'],
  ['telemetry', 'node:fs/promises'],
  ['telemetry', 'prom-client'],
  ['session', '../server/server.ts'],
  ['session', '../transport/node.ts'],
  ['session', '../load/run.ts'],
  ['session', 'node:net'],
  ['session', 'ws'],
  ['session', '@scope/package'],
  ['codec', '../session/handler.ts'],
  ['codec', 'node:buffer'],
  ['requests', '../session/session.ts'],
  ['requests', '../client/client.ts'],
  ['process', '../server/server.ts'],
  ['process', '../load/run.ts'],
  ['handlers', '../process/program-process.ts'],
  ['handlers', '../server/server.ts'],
  ['handlers', '../client/client.ts'],
  ['handlers', '../session/session.ts'],
  ['handlers', '../transport/node.ts'],
  ['server', '../cli/serve/run.ts'],
  ['server', '../client/client.ts'],
  ['server', '../load/run.ts'],
  ['server', '../metrics/http.ts'],
  ['client', '../cli/connect/run.ts'],
  ['client', '../server/server.ts'],
  ['client', '../load/run.ts'],
  ['load', '../server/server.ts'],
  ['load', '../session/session.ts'],
  ['load', '../cli/fail.ts'],
  ['load', 'node:fs'],
  ['load', 'node:fs/promises'],
  ['load/result', '../../server/server.ts'],
  ['load/result', '../../cli/fail.ts'],
  ['journal', '../server/server.ts'],
  ['journal', '../cli/journal/run.ts'],
  ['journal', '../transport/node.ts'],
  ['replay', '../cli/replay/run.ts'],
  ['replay', '../session/session.ts'],
  ['metrics', '../cli/serve/run.ts'],
  ['metrics', '../session/session.ts'],
  ['transcript', '../cli/check/run.ts'],
  ['terminal', '../cli/fail.ts'],
  ['terminal', '../telemetry/telemetry.ts'],
  ['report', '../cli/fail.ts'],
  ['report', '../load/run.ts'],
  ['report', 'node:fs'],
  ['report', 'smol-toml'],
  ['log', '../cli/fail.ts'],
  ['log', '../server/server.ts'],
] as const;

const allowed = [
  ['.', './errors.ts'],
  ['format', '../errors.ts'],
  ['format', './figures.ts'],
  ['framing', '../errors.ts'],
  ['framing/own', '../framing.ts'],
  ['framing/protocols', '../counted/length.ts'],
  ['framing/own', '../../errors.ts'],
  ['testing', '../framing/framing.ts'],
  ['testing', '../server/server.ts'],
  ['testing', '../transport/memory.ts'],
  ['testing', '../errors.ts'],
  ['framing', './delimited/lines.ts'],
  ['framing', 'node:buffer'],
  ['session', '../framing/delimited/lines.ts'],
  ['session', '../transport/transport.ts'],
  ['session', '../clock.ts'],
  ['transport', '../clock.ts'],
  ['process', '../errors.ts'],
  ['process', 'node:child_process'],
  ['handlers', '../process/lines-in-turns.ts'],
  ['server', '../process/program-process.ts'],
  ['load', '../process/program-process.ts'],
  ['handlers', '../session/handler.ts'],
  ['handlers', '../transport/runtime.ts'],
  ['handlers', 'node:child_process'],
  ['server', '../session/session.ts'],
  ['transport', 'node:net'],
  ['transport', 'ws'],
  ['load', 'node:os'],
  ['load', '../framing/framing.ts'],
  ['load', '../transport/runtime.ts'],
  ['load/result', '../../errors.ts'],
  ['load/result', '../../format/figures.ts'],
  ['load/result', '../plan.ts'],
  ['cli/bench', '../../load/run.ts'],
  ['cli/bench', '../fail.ts'],
  ['journal', '../session/journaling.ts'],
  ['journal', 'node:sqlite'],
  ['replay', '../journal/journal.ts'],
  ['replay', '../load/histogram.ts'],
  ['metrics', '../server/server.ts'],
  ['metrics', 'node:http'],
  ['metrics', 'prom-client'],
  ['report', '../load/result/report.ts'],
  ['log', '../terminal/escape.ts'],
] as const;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

test('each module imports only from the modules below it', async () => {
  const folder = copyOfRules();
  const all = [...forbidden, ...allowed];
  all.forEach(([module, imported], index) => {
    write(folder, `src/${module}/import-${index}.ts`, `import '${imported}';\n`);
  });
  const found = [...(await lint(folder)).matchAll(/noRestrictedImports.*?import-(\d+)\.ts/g)];
  const numbers = found.map(([, index]) => Number(index)).sort((a, b) => a - b);
  const refused = numbers.map((index) => all[index]?.join(' ') ?? '');
  expect(refused).toEqual(forbidden.map(([module, imported]) => `${module} ${imported}`));
});

test('the public API re-exports the library, but nothing of the command', async () => {
  const folder = copyOfRules();
  const ofCommand = ['./cli/fail.ts', './terminal/escape.ts', './report/page.ts', './log/log.ts', 'node:fs', 'ws'];
  const ofLibrary = ['./errors.ts', './framing/delimited/lines.ts', './session/handler.ts', './transcript/library.ts'];
  const lines = [...ofCommand, ...ofLibrary].map((from) => `export * from '${from}';\n`);
  write(folder, 'src/index.ts', lines.join(''));
  const found = [...(await lint(folder)).matchAll(/noRestrictedImports.*?index\.ts,line=(\d+)/g)];
  expect(found.map(([, line]) => Number(line)).sort((a, b) => a - b)).toEqual(ofCommand.map((_, index) => index + 1));
});

test('no import cycle is allowed, not even of types', async () => {
  const folder = copyOfRules();
  write(folder, 'src/cli/a.ts', "import type { B } from './b.ts';\nexport type A = B | undefined;\n");
  write(folder, 'src/cli/b.ts', "import type { A } from './a.ts';\nexport type B = A | null;\n");
  expect(await lint(folder)).toMatch(/noImportCycles/);
});

/** A folder with the project's rules and nothing else. */
function copyOfRules(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-modules-'));
  folders.push(folder);
  const { vcs: _, $schema: __, ...rules } = JSON.parse(readFileSync(`${root}biome.json`, 'utf8'));
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(rules));
  return folder;
}

function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

async function lint(folder: string): Promise<string> {
  const command = [`${root}node_modules/.bin/biome`, 'lint', '--max-diagnostics=none', '--reporter=github'] as const;
  return String((await run(command, { cwd: folder })).stdout);
}
