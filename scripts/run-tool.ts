/** Runs the development tools that npm installed. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs a program of node_modules/.bin and returns its stdout. On failure prints it, because tsc reports errors there. */
export async function runTool(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(`node_modules/.bin/${program}`, args)).stdout;
  } catch (error) {
    process.stderr.write((error as { stdout?: string }).stdout ?? '');
    throw error;
  }
}
