/** The rule that keeps the rooms of src/ apart, tried on imports that break it and on some that do not. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './support/command.ts';

const root = new URL('../', import.meta.url).pathname;

const forbidden = [
  ['framing', '../session/clock.ts'],
  ['framing', '../transport/transport.ts'],
  ['framing', 'node:net'],
  ['transport', '../session/clock.ts'],
  ['telemetry', '../session/session.ts'],
  ['telemetry', '../cli/session-log.ts'],
  ['session', '../server/server.ts'],
  ['session', '../transport/node.ts'],
  ['session', 'node:net'],
  ['handlers', '../server/server.ts'],
  ['handlers', '../client/client.ts'],
  ['handlers', '../session/session.ts'],
  ['handlers', '../transport/node.ts'],
  ['server', '../cli/serve.ts'],
  ['server', '../client/client.ts'],
  ['client', '../cli/connect.ts'],
  ['client', '../server/server.ts'],
  ['client', '../load/run.ts'],
  ['server', '../load/run.ts'],
  ['session', '../load/run.ts'],
  ['transport', '../load/run.ts'],
  ['load', '../client/client.ts'],
  ['load', '../server/server.ts'],
  ['load', '../session/clock.ts'],
  ['load', '../cli/fail.ts'],
  ['load', 'node:fs'],
  ['server', '../metrics/http.ts'],
  ['journal', '../server/server.ts'],
  ['journal', '../cli/journal.ts'],
  ['journal', '../transport/node.ts'],
  ['replay', '../cli/replay.ts'],
  ['replay', '../session/session.ts'],
  ['metrics', '../cli/serve.ts'],
  ['metrics', '../session/session.ts'],
] as const;

const allowed = [
  ['framing', '../errors.ts'],
  ['session', '../framing/lines.ts'],
  ['session', '../transport/transport.ts'],
  ['handlers', '../session/handler.ts'],
  ['handlers', '../transport/runtime.ts'],
  ['handlers', 'node:child_process'],
  ['server', '../session/session.ts'],
  ['transport', 'node:net'],
  ['load', '../framing/framing.ts'],
  ['load', '../transport/runtime.ts'],
  ['cli', '../load/run.ts'],
  ['journal', '../session/journaling.ts'],
  ['journal', 'node:sqlite'],
  ['replay', '../journal/journal.ts'],
  ['replay', '../load/histogram.ts'],
  ['metrics', '../server/server.ts'],
  ['metrics', 'node:http'],
] as const;

test('each room imports only from the rooms below it', async () => {
  const refused = await refusedImports([...forbidden, ...allowed]);
  expect(refused).toEqual(forbidden.map(([room, imported]) => `${room} ${imported}`));
});

/** Lints one file for each import, in a folder that has the project's rules and nothing else. */
async function refusedImports(imports: readonly (readonly [string, string])[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-rooms-'));
  try {
    const { vcs: _, $schema: __, ...rules } = JSON.parse(readFileSync(`${root}biome.json`, 'utf8'));
    writeFileSync(join(folder, 'biome.json'), JSON.stringify(rules));
    imports.forEach(([room, imported], index) => {
      mkdirSync(join(folder, 'src', room), { recursive: true });
      writeFileSync(join(folder, 'src', room, `import-${index}.ts`), `import '${imported}';\n`);
    });
    const outcome = await run(
      [`${root}node_modules/.bin/biome`, 'lint', '--max-diagnostics=none', '--reporter=github'],
      {
        cwd: folder,
      },
    );
    const found = [...String(outcome.stdout).matchAll(/noRestrictedImports.*?import-(\d+)\.ts/g)];
    const numbers = found.map(([, index]) => Number(index)).sort((a, b) => a - b);
    return numbers.map((index) => imports[index]?.join(' ') ?? '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
