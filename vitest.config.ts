import { defineConfig } from 'vitest/config';

/** What these test leaves nothing behind in its process, so that the sources need not be loaded anew for each file. */
const together = 'cli client format framing handlers load report server session telemetry terminal transcript'.split(
  ' ',
);
const filesTogether = `test/{${together.join()}}/**/*.test.ts`;

export default defineConfig({
  test: {
    // vitest's default pool, "forks", talks over child_process IPC in a way that Bun does not have yet.
    pool: process.versions.bun ? 'threads' : 'forks',
    globalSetup: 'test/support/current-build.ts',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The machine that judges has two cores: more files at once only disturb one another.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'together', include: [filesTogether], isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: [filesTogether] } },
    ],
  },
});
