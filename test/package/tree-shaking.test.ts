/** What a bundler takes from yodel into a program that uses one function of an entry: nothing that this does not need. */
import { join } from 'node:path';
import { type OutputChunk, rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { root } from './packed.ts';

/** The code that a program loads at once which uses this name of this entry, and the modules of Node in it. */
async function bundled(name: string, entry: string): Promise<{ code: string; builtins: string[] }> {
  const program = join(root, 'program.mjs');
  const bundle = await rolldown({
    input: program,
    cwd: root,
    platform: 'node',
    external: /^node:/,
    plugins: [
      {
        name: 'program',
        resolveId: (id) => (id === program ? id : undefined),
        load: (id) => (id === program ? `import { ${name} } from '${entry}'; console.log(${name});` : undefined),
      },
    ],
  });
  const { output } = await bundle.generate({});
  await bundle.close();
  const chunks = new Map(output.flatMap((one) => (one.type === 'chunk' ? [[one.fileName, one] as const] : [])));
  const loaded = new Set<OutputChunk>([...chunks.values()].filter(({ isEntry }) => isEntry));
  for (const { imports } of loaded) for (const file of imports) loaded.add(chunks.get(file) as OutputChunk);
  const code = [...loaded].map((chunk) => chunk.code).join('\n');
  const found = [...code.matchAll(/"(node:[\w/]+)"/g)].map(([, module = '']) => module);
  return { code, builtins: [...new Set(found)].sort() };
}

/** Marks of what is large: parts of yodel, by a class or a text in their code. */
const parts = {
  server: /\bMessageServer\b/,
  sessions: /\bServerSession\b/,
  client: /\bMessageClient\b/,
  journal: /\bSqliteJournal\b|node:sqlite/,
  protocols: /AMQP 0-9-1/,
  transcripts: /unknown directive @/,
  metrics: /prom-client|yodel_connections_accepted_total/,
};

function partsIn(code: string): string[] {
  return Object.entries(parts).flatMap(([name, mark]) => (mark.test(code) ? [name] : []));
}

test.each([
  { name: 'lines', entry: 'yodel/framing', has: [], builtins: ['node:buffer'], maxBytes: 80_000 },
  { name: 'Message', entry: 'yodel/framing', has: [], builtins: ['node:buffer'], maxBytes: 50_000 },
  { name: 'lines', entry: 'yodel', has: [], builtins: ['node:buffer'], maxBytes: 80_000 },
  { name: 'YodelError', entry: 'yodel', has: [], builtins: ['node:buffer'], maxBytes: 60_000 },
  { name: 'openJournalReader', entry: 'yodel/journal', has: [], builtins: [], maxBytes: 10_000 },
  { name: 'registerMetrics', entry: 'yodel/metrics', has: ['metrics'], builtins: [], maxBytes: 60_000 },
  { name: 'fakeClock', entry: 'yodel/testing', has: [], builtins: [], maxBytes: 20_000 },
  { name: 'YodelError', entry: 'yodel/browser', has: [], builtins: [], maxBytes: 60_000 },
])('$name of $entry brings no sockets and nothing else', async ({ name, entry, has, builtins, maxBytes }) => {
  const found = await bundled(name, entry);
  expect(partsIn(found.code)).toEqual(has);
  expect(builtins).toEqual(expect.arrayContaining(found.builtins));
  expect(found.code.length).toBeLessThan(maxBytes);
});

test('serve brings no client, no journal and no transcripts', async () => {
  const { code } = await bundled('serve', 'yodel');
  expect(partsIn(code)).toEqual(expect.arrayContaining(['server', 'sessions']));
  for (const part of ['client', 'journal', 'transcripts', 'metrics']) expect(partsIn(code)).not.toContain(part);
});

test('connect brings no server, no journal and no transcripts', async () => {
  const { code } = await bundled('connect', 'yodel');
  expect(partsIn(code)).toContain('client');
  for (const part of ['server', 'sessions', 'journal', 'transcripts', 'metrics'])
    expect(partsIn(code)).not.toContain(part);
});
