/** docs/applications.md has the number of lines of each version of an application. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

interface Versions {
  /** In `examples`; the first is the one that the page links to. */
  readonly files: readonly [string, ...string[]];
  /** Lines of the version that was written for yodel 0.1.0, if there is one. */
  readonly before?: number;
  /** In `test/applications/plain`, with no package. */
  readonly plain?: readonly string[];
  /** The same, each with another package: its name and the files. */
  readonly others?: Readonly<Record<string, readonly string[]>>;
}

const shared = 'connection.ts';

const applications: Readonly<Record<string, Versions>> = {
  chat: {
    files: ['applications/chat.ts'],
    before: 99,
    plain: ['chat.ts'],
    others: { ws: ['chat-ws.ts'], 'Socket.IO': ['chat-socket-io.ts'] },
  },
  'key-value store': { files: ['applications/key-value.ts'], before: 60, plain: ['key-value.ts'] },
  'JSON-RPC': { files: ['applications/json-rpc.ts'], before: 142, plain: ['json-rpc.ts', shared] },
  telemetry: { files: ['applications/telemetry.ts'], before: 161, plain: ['telemetry.ts'] },
  game: { files: ['applications/game.ts'], before: 109, others: { ws: ['game-ws.ts'] } },
  mTLS: { files: ['mtls.ts'], plain: ['mtls.ts', shared] },
  'page and TCP': { files: ['page.ts', 'page.html'], before: 126, others: { ws: ['page.ts', 'page.html', shared] } },
  'client pool': { files: ['pool.ts'], before: 140, plain: ['pool.ts', shared] },
  'graceful restart': { files: ['graceful-restart.ts'], before: 49, plain: ['graceful-restart.ts', shared] },
  'own framing': { files: ['checksum.ts'], before: 59, plain: ['checksum.ts', shared] },
  OpenTelemetry: { files: ['open-telemetry.ts'], before: 54, plain: ['open-telemetry.ts', shared] },
};

/** The lines of files that are neither blank nor comments. */
function countLines(folder: string, files: readonly string[]): number {
  const code = files.map((file) => readFileSync(`${root}${folder}/${file}`, 'utf8')).join('\n');
  const bare = code.replaceAll(/^\s*(?:\/\*[\s\S]*?\*\/|<!--[\s\S]*?-->)/gm, '');
  return bare.split('\n').filter((line) => !/^\s*(\/\/|$)/.test(line)).length;
}

const sharedLines = countLines('test/applications/plain', [shared]);

test('the page has the number of lines of every version', () => {
  const plainLines = (files: readonly string[]) => {
    const own = countLines(
      'test/applications/plain',
      files.filter((file) => file !== shared),
    );
    return files.includes(shared) ? `${own} + ${sharedLines}` : own;
  };
  const rows = Object.entries(applications).map(([name, { files, before, plain, others = {} }]) => {
    const cells = [
      `[${name}](../examples/${files[0]})`,
      countLines('examples', files),
      before ?? '',
      plain ? plainLines(plain) : '',
      Object.entries(others)
        .map(([tool, of]) => `${plainLines(of)} (${tool})`)
        .join(', '),
    ];
    return `| ${cells.join(' | ')} |`.replaceAll(/(?<=\|) {2}(?=\|)/g, ' ');
  });
  const page = readFileSync(`${root}docs/applications.md`, 'utf8');
  expect([...page.matchAll(/^\| \[.*$/gm)].map(([row]) => row)).toEqual(rows);
  expect(page).toContain(`the ${sharedLines} lines of`);
});
