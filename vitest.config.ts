import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // vitest's default pool, "forks", talks over child_process IPC in a way that Bun does not have yet.
    pool: process.versions.bun ? 'threads' : 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The machine that judges has two cores: more files at once only disturb one another.
    maxWorkers: 2,
  },
});
