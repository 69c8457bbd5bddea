/** Builds dist/ again before the tests if the sources have changed since, because the command that they run is there. */
import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';
import { isBuildCurrent } from '../../scripts/build-stamp.ts';

export default function setUp(project: TestProject): void {
  buildIfStale();
  // With `vitest --watch`.
  project.onTestsRerun(buildIfStale);
}

function buildIfStale(): void {
  if (!isBuildCurrent()) execFileSync('npm', ['run', 'build'], { stdio: 'inherit' });
}
