/** Runs the command line of this process. */
import { programToRun } from '../process/own-program.ts';
import { abandonedAttempts } from '../transport/abandoned.ts';
import { runCommandLine } from './command-line.ts';
import { exitStatus, reportUnfinished } from './fail.ts';

const program = programToRun(process.argv[2]);
if (program) {
  // The program expects its arguments at the same positions as in a separate process.
  process.argv.splice(2, 1);
  if (program === 'serve-worker') await import('./serve/worker.ts');
  else await import('../load/worker.ts');
} else {
  await runCommand();
}

async function runCommand(): Promise<void> {
  // Without a reader of stderr (`2>&1 | head -1`) the exit status must still be right.
  process.stderr.on('error', () => undefined);
  // The status until the command is done: a handler file may await a promise that never settles, which empties the event loop.
  process.exitCode = exitStatus.failure;
  process.once('beforeExit', reportUnfinished);
  try {
    await runCommandLine(process.argv.slice(2));
  } finally {
    process.off('beforeExit', reportUnfinished);
  }
  // The process would wait for them, without a use.
  if (abandonedAttempts() > 0) process.stderr.write('', () => process.stdout.write('', () => process.exit()));
}
