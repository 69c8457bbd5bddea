/** Runs the command line of this process. */
import { programToRun } from '../process/own-program.ts';
import { runCommandLine } from './command-line.ts';
import { exitStatus, neverDone } from './fail.ts';

const program = programToRun(process.argv[2]);
if (program) {
  // So that the program finds its own arguments where they are without compiling.
  process.argv.splice(2, 1);
  if (program === 'serve-worker') await import('./serve/worker.ts');
  else await import('../load/worker.ts');
} else {
  await runCommand();
}

async function runCommand(): Promise<void> {
  // Where nobody reads what goes wrong (`2>&1 | head -1`), the exit status still tells.
  process.stderr.on('error', () => undefined);
  // Until something has said that all went well: a handler file that waits for what never comes leaves nothing to run.
  process.exitCode = exitStatus.failure;
  process.once('beforeExit', neverDone);
  try {
    await runCommandLine(process.argv.slice(2));
  } finally {
    process.off('beforeExit', neverDone);
  }
}
