import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { commandPath, start, yodel } from '../../support/process/command.ts';
import { runLines } from '../../support/process/command-lines.ts';

/** The modules that a process has loaded. */
interface Loaded {
  /** Built-in modules by name: `net`, `internal/fs/promises`. */
  readonly builtin: readonly string[];
  /** Code by its path in dist/. */
  readonly files: readonly string[];
}

/** Reports on stderr, at its end, what the process has loaded. */
const reporter = `
const { registerHooks } = require('node:module');
const files = [];
registerHooks({ load: (url, context, next) => (url.startsWith('file:') && files.push(url), next(url, context)) });
const before = new Set(process.moduleLoadList);
process.on('exit', () => {
  const builtin = process.moduleLoadList.filter((name) => name.startsWith('NativeModule ') && !before.has(name));
  require('node:fs').writeSync(2, JSON.stringify({ builtin, files }));
});
`;

/** @param until the output at which it has loaded everything and is stopped; undefined: it ends by itself */
async function loadedBy(args: readonly string[], until?: RegExp): Promise<Loaded> {
  const preload = temporaryFile('reporter.cjs', reporter);
  const running = start([process.execPath, '--require', preload, commandPath, ...args]);
  if (until) {
    await running.saw(until);
    running.process.kill();
  }
  const { stderr } = await running.ended;
  const { builtin, files } = JSON.parse(stderr.slice(stderr.indexOf('{"builtin"'))) as Loaded;
  return {
    builtin: builtin.map((name) => name.replace('NativeModule ', '')),
    files: files.map((url) => url.replace(/^.*\/dist\//, '')).filter((file) => !file.endsWith('.json')),
  };
}

// Bun has no list of loaded modules; the files are the same.
describe.runIf(process.versions.bun === undefined)('a command loads only what it needs', () => {
  test.each([[['--version']], [['-V']], [['--help']], [['serve', '--help']], [['help', 'config', 'check']]])(
    'yodel %j loads the first step and its text',
    async (args) => {
      const { builtin, files } = await loadedBy(args);
      expect(files).toEqual(['cli/yodel.cjs']);
      expect(builtin).toEqual([]);
    },
  );

  test('yodel serve does not load TLS, HTTP, WebSocket, cryptography, threads or other commands', async () => {
    // The watchdog's thread starts after that.
    const args = ['serve', '--quiet', '--listen', '0', '--blocked-warning', 'off'];
    const { builtin, files } = await loadedBy(args, /listening on/);
    expect(builtin).toContain('net');
    const notNeeded = /^(tls|https?|crypto|worker_threads|readline|zlib|sqlite|internal\/fs\/promises)$/;
    expect(builtin.filter((name) => notNeeded.test(name))).toEqual([]);
    expect(files.filter((file) => /connect|bench|transcript|metrics|websocket|tls|arrival|\bws\b/.test(file))).toEqual(
      [],
    );
  });
});

test('the entry point prints the help of the commands', async () => {
  const texts = JSON.parse(readFileSync(new URL('help.json', `file://${commandPath}`), 'utf8')) as Record<
    string,
    string
  >;
  const lines = Object.keys(texts).map((words) => ({ args: [...words.split(' ').filter(Boolean), '--help'] }));
  const outcomes = await runLines(lines);
  expect(outcomes.map(({ stdout }) => stdout.toString())).toEqual(Object.values(texts));
  expect((await yodel(['config', 'check', '-h'])).stdout.toString()).toBe(texts['config check']);
});

test('--version and --help warn about an unknown variable', async () => {
  for (const args of [['--version'], ['serve', '--help']]) {
    const { stderr, status } = await yodel(args, { env: { YODEL_LISTN: '7000' } });
    expect(stderr).toMatch(
      /^yodel: unknown environment variable YODEL_LISTN ignored.*Did you mean "YODEL_LISTEN"\?\n$/,
    );
    expect(status).toBe(0);
  }
});

test('--version reports an error if its output cannot be written', async () => {
  const { stderr, status } = await start([
    'sh',
    '-c',
    `exec "$0" "$1" --version > /dev/full`,
    process.execPath,
    commandPath,
  ]).ended;
  expect(stderr).toMatch(/^yodel: cannot write the output: .*ENOSPC/);
  expect(status).toBe(1);
});
