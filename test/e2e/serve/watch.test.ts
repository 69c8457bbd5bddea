/** `yodel serve FILE --watch` reloads a handler file when it changes. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';

const answering = (word: string) => `export default (message: { text: string }) => \`${word} \${message.text}\`;\n`;

test.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])(
  '%s: new sessions get the changed file, open sessions keep theirs, a broken file is reported',
  async (_, workers) => {
    const file = join(temporaryFolder(), 'handler.ts');
    writeFileSync(file, answering('old'));
    const server = await serve([file, '--watch', ...workers]);
    const open = await dial(server.port);
    expect(await open.ask('a')).toBe('old a');

    writeFileSync(file, 'export default (');
    await server.saw(/yodel: not reloaded, the old settings remain in effect: the handler file .* cannot be loaded: /);
    expect(await (await dial(server.port)).ask('b')).toBe('old b');

    // As editors save: a new file replaces the old one.
    writeFileSync(`${file}~`, answering('new'));
    renameSync(`${file}~`, file);
    await server.saw(/yodel: reloaded/);
    for (let each = 0; each < 4; each++) expect(await (await dial(server.port)).ask('c')).toBe('new c');
    expect(await open.ask('d')).toBe('old d');
    expect((await server.stop()).status).toBe(0);
  },
);

test('--watch without a file is a usage error', async () => {
  const { status, stderr } = await yodel(['serve', 'echo', '--watch', '--listen', '127.0.0.1:0']);
  expect(stderr).toBe('yodel: --watch needs a handler file, and "echo" is not one\n');
  expect(status).toBe(2);
});
