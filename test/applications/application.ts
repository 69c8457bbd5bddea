/** Starts a version of an application, on the runtime that runs the tests. */
import { type Running, start } from '../support/process/command.ts';

const root = new URL('../../', import.meta.url).pathname;

/** A running application. It is killed when the test ends. */
export interface RunningApplication extends Running {
  /** As printed: `tcp://127.0.0.1:40123`. */
  readonly address: string;
  readonly port: number;
}

/** @param file from the root of the project */
export async function startApplication(file: string, env: NodeJS.ProcessEnv = {}): Promise<RunningApplication> {
  const running = start([process.execPath, root + file], { env: { PORT: '0', ...env } });
  const [, address = '', port] = await running.saw(/listening on (\S+:(\d+))/);
  return { ...running, address, port: Number(port) };
}
