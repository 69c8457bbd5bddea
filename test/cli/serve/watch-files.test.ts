/** Changed files are noticed, whatever way leads to them. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';
import { FileWatch, type FileWatchOptions } from '../../../src/cli/serve/watch-files.ts';
import { temporaryFolder } from '../../support/files.ts';

/** Watches a file, and returns a function that resolves at the next change. */
function watching(file: string, options: FileWatchOptions): () => Promise<void> {
  let changes = 0;
  let expected = 1;
  let wake: () => void = () => undefined;
  const watch = new FileWatch(
    [file],
    () => {
      changes++;
      wake();
    },
    options,
  );
  onTestFinished(() => watch.close());
  return async () => {
    while (changes < expected) await new Promise<void>((resolve) => (wake = resolve));
    expected = changes + 1;
  };
}

/** As `ln -sfn` does. */
function link(target: string, at: string): void {
  symlinkSync(target, `${at}.new`);
  renameSync(`${at}.new`, at);
}

/** How a file changes. Each prepares a folder, and returns the path of the file in it and two changes. */
const ways: Record<string, (folder: string) => [file: string, ...changes: (() => void)[]]> = {
  'it is rewritten'(folder) {
    const file = join(folder, 'a');
    writeFileSync(file, '1');
    return [file, () => writeFileSync(file, '22'), () => writeFileSync(file, '333')];
  },
  'it is replaced'(folder) {
    const file = join(folder, 'a');
    writeFileSync(file, '1');
    const replace = (text: string) => {
      writeFileSync(`${file}~`, text);
      renameSync(`${file}~`, file);
    };
    return [file, () => replace('22'), () => replace('333')];
  },
  'it is a link to a file in another folder, which is rewritten, or the link replaced'(folder) {
    mkdirSync(join(folder, 'real'));
    mkdirSync(join(folder, 'live'));
    writeFileSync(join(folder, 'real', 'a'), '1');
    writeFileSync(join(folder, 'real', 'b'), '2');
    const file = join(folder, 'live', 'a');
    link('../real/a', file);
    return [file, () => writeFileSync(join(folder, 'real', 'a'), '22'), () => link('../real/b', file)];
  },
  'a folder on the path is a link, which is replaced twice'(folder) {
    for (const release of ['1', '2', '3']) {
      mkdirSync(join(folder, 'releases', release, 'tls'), { recursive: true });
      writeFileSync(join(folder, 'releases', release, 'tls', 'a'), release);
    }
    const current = join(folder, 'current');
    link('releases/1', current);
    return [join(current, 'tls', 'a'), () => link('releases/2', current), () => link('releases/3', current)];
  },
  'a link leads to a link in a folder that is one'(folder) {
    for (const version of ['..v1', '..v2', '..v3']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'a'), version);
    }
    link('..v1', join(folder, '..data'));
    link('..data/a', join(folder, 'a'));
    mkdirSync(join(folder, 'used'));
    link(join(folder, 'a'), join(folder, 'used', 'a'));
    const next = (version: string) => () => link(version, join(folder, '..data'));
    return [join(folder, 'used', 'a'), next('..v2'), next('..v3')];
  },
};

test.each(Object.entries(ways))('a change is noticed: %s', async (_, prepare) => {
  const [file, ...changes] = prepare(temporaryFolder());
  // Only what the operating system reports.
  const changed = watching(file, { quietMs: 20, lookEveryMs: 1_000_000 });
  for (const change of changes) {
    change();
    await changed();
  }
});

test.each(Object.entries(ways))('a change is noticed without the operating system: %s', async (_, prepare) => {
  const [file, ...changes] = prepare(temporaryFolder());
  const changed = watching(file, { quietMs: 20, lookEveryMs: 20, watches: false });
  for (const change of changes) {
    change();
    await changed();
  }
});

test('a folder that is replaced by another one is noticed', async () => {
  const folder = temporaryFolder();
  for (const name of ['tls', 'next']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'a'), name);
  }
  const changed = watching(join(folder, 'tls', 'a'), { quietMs: 20, lookEveryMs: 20 });
  renameSync(join(folder, 'tls'), join(folder, 'old'));
  renameSync(join(folder, 'next'), join(folder, 'tls'));
  await changed();
  rmSync(join(folder, 'old'), { recursive: true });
  writeFileSync(join(folder, 'tls', 'a'), 'once more');
  await changed();
});
