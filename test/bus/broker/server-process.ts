/** Servers of tests in processes of their own. */
import { type Running, start } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import type { Report } from './server-program.ts';

const program = new URL('./server-program.ts', import.meta.url).pathname;

/** See server-program.ts. */
export class ServerProcess {
  readonly running: Running;
  readonly #commands: NodeJS.WritableStream;

  private constructor(running: Running) {
    this.running = running;
    this.#commands = running.process.stdin as NodeJS.WritableStream;
  }

  /**
   * Starts one, whose members have these names. Resolves when they are there.
   *
   * @param hasHistories whether its messages are stored in another room as well
   * @param words the command line that runs a command elsewhere, such as on another host
   */
  static async start(
    bus: string,
    names: readonly string[],
    words: (command: [string, ...string[]]) => [string, ...string[]] = (command) => command,
    hasHistories = false,
  ): Promise<ServerProcess> {
    const one = new ServerProcess(start(words([process.execPath, program, bus])));
    if (hasHistories) one.tell('histories');
    for (const name of names) one.tell(`join ${name}`);
    await waitUntil('its members are there', () => one.report?.members.length === names.length);
    return one;
  }

  /** What it knew last. */
  get report(): Report | undefined {
    const lines = this.running.stdout().split('\n');
    const text = lines.at(-2);
    return text === undefined ? undefined : (JSON.parse(text) as Report);
  }

  tell(command: string): void {
    this.#commands.write(`${command}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.running.process.kill(signal);
  }
}
