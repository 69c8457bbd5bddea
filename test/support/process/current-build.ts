/** Builds dist/ before the tests if it is stale: tests of the command run it from there. */
import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';
import { isBuildCurrent } from '../../../scripts/build-stamp.ts';

export default function setUp(project: TestProject): void {
  buildIfStale();
  // For `vitest --watch`.
  project.onTestsRerun(buildIfStale);
}

function buildIfStale(): void {
  if (!isBuildCurrent()) execFileSync('npm', ['run', 'build'], { stdio: 'inherit' });
}
