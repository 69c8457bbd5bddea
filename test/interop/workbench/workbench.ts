/**
 * The sections of docs/real-servers.md: for each server seven jobs, whose commands are run as the page shows them, beside
 * the real server and its real client.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type test } from 'vitest';
import { commandsIn, type ShownCommand, shownPattern } from '../../support/console-sessions.ts';
import { temporaryFolder } from '../../support/files.ts';
import { commandPath, type Outcome, type Running, start } from '../../support/process/command.ts';
import { shell } from '../../support/shell.ts';

const page = readFileSync(new URL('../../../docs/real-servers.md', import.meta.url), 'utf8');

/** The columns of the table on the page, in their order. */
export const jobs = ['Talk', 'Record', 'Check', 'Mock', 'Proxy', 'Replay', 'Bench'] as const;
export type Job = (typeof jobs)[number];

/** A server of the page, and what must be red. */
export interface Workbench {
  /** The heading of its section, which is also the name of its row. */
  readonly section: string;
  /** `test` for tests that need the server and the client. */
  readonly test: typeof test.skip;
  /**
   * Starts a fresh server on a free port of 127.0.0.1, which it resolves with. The server ends with the test. Not needed for
   * one that the commands start.
   *
   * @param folder where the commands run
   */
  start?(folder: string): Promise<number>;
  /** The port at which the page expects the server. */
  readonly port?: string;
  /**
   * A change to an expected line of the transcript that is checked: exactly this line must then differ. Not needed where
   * nothing can be checked.
   */
  readonly wrongReply?: readonly [from: string, to: string];
  /** A change to a line of the client, after which the mock must say that its real client said something else. */
  readonly wrongRequest: readonly [from: string, to: string];
}

/** The text of a section, from its heading to the next one. */
export function sectionOf(name: string): string {
  const [, text = ''] = page.split(new RegExp(`^## ${name}$`, 'm'));
  return text.split(/^## /m, 1)[0] as string;
}

/** The jobs of a section, each with its commands. A line such as `# Talk` begins a job. */
export function jobsOf(section: string): Map<Job, ShownCommand[]> {
  const [, block = ''] = /```console\n([\s\S]*?)```/.exec(section) ?? [];
  const parts = block.split(new RegExp(`^# (?=(?:${jobs.join('|')})\\b)`, 'm')).slice(1);
  return new Map(parts.map((part) => [part.split(/\W/, 1)[0] as Job, commandsIn(part)]));
}

/** The transcripts and programs that a section shows. */
function filesOf(section: string): [name: string, text: string][] {
  const files = section.matchAll(/<!-- (\S+\.\w+) -->\n```\w*\n([\s\S]*?)```/g);
  return [...files].map(([, name = '', text = '']) => [name, text]);
}

/** Runs a section. */
export function testWorkbench(workbench: Workbench): void {
  const { section, test, wrongReply, wrongRequest } = workbench;
  const text = sectionOf(section);
  test(`${section}: what docs/real-servers.md shows is so, and what is wrong is red`, {
    timeout: 120_000,
  }, async () => {
    const desk = new Desk(workbench);
    for (const [name, content] of filesOf(text)) writeFileSync(join(desk.folder, name), content);
    const all = jobsOf(text);
    expect(all.size, 'jobs on the page').toBeGreaterThan(0);
    for (const [job, commands] of all) {
      if (job === 'Record' || job === 'Check' || job === 'Replay') desk.restart();
      await desk.play(job, commands);
      if (job === 'Check' && wrongReply) await desk.checkWrong(commands, wrongReply);
      if (job === 'Mock') await desk.mockWrong(commands, wrongRequest);
    }
  });
}

/** A folder and a server, with which the commands of a section are run. */
class Desk {
  readonly folder: string = temporaryFolder();
  readonly #workbench: Workbench;
  #port: number | undefined;
  /** A server of ours in the background. It serves the next command, and ends with it. */
  #background: { readonly server: Running; readonly port: string; readonly isPlaying: boolean } | undefined;

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  /** The next command that names the port has a fresh server. */
  restart(): void {
    this.#port = undefined;
  }

  async play(job: Job, commands: readonly ShownCommand[]): Promise<void> {
    for (const { command, shown } of commands) {
      if (command.endsWith(' &')) await this.#startBackground(command);
      else {
        const printed = await this.#run(command);
        expect(printed, `${job}: ${command}`).toMatch(shownPattern(shown));
      }
    }
  }

  /** Checks the transcript with a wrong line. */
  async checkWrong(commands: readonly ShownCommand[], change: NonNullable<Workbench['wrongReply']>): Promise<void> {
    const { command, file } = commandWith(commands, /^yodel check (\S+\.transcript)/);
    const line = this.#write(file, change);
    this.restart();
    const { status, stdout } = await this.#shell(command.replace(file, 'wrong.transcript'));
    const differences = stdout.toString().match(/^\S*wrong\.transcript:\d+/gm);
    expect(differences, `one wrong line: ${stdout}`).toEqual([`wrong.transcript:${line}`]);
    expect(status, 'the status of a check with a wrong line').toBe(3);
  }

  /** Plays a mock to the real client, which does not say what the mock expects. */
  async mockWrong(commands: readonly ShownCommand[], change: Workbench['wrongRequest']): Promise<void> {
    const { command, file } = commandWith(commands, /^yodel serve (\S+\.transcript) .*&$/);
    const line = this.#write(file, change);
    await this.#startBackground(command.replace(file, 'wrong.transcript'));
    const { status, stderr } = await this.#endBackground(() => this.#shell(commands.at(-1)?.command ?? ''));
    expect(stderr).toContain(`wrong.transcript:${line}: `);
    expect(stderr).toMatch(/wrong\.transcript: not completed: \d+ problem/);
    expect(status, 'the status of a mock whose client said something else').toBe(3);
  }

  /** Writes a changed transcript. @returns the number of the changed line */
  #write(file: string, [from, to]: readonly [string, string]): number {
    const text = readFileSync(join(this.folder, file), 'latin1');
    expect(text.split(from).length, `how often "${from}" is in ${file}, and one more:\n${text}`).toBe(2);
    writeFileSync(join(this.folder, 'wrong.transcript'), text.replace(from, to), 'latin1');
    return text.slice(0, text.indexOf(from)).split('\n').length;
  }

  /** Runs a command to its end, and the server in the background with it. */
  async #run(command: string): Promise<string> {
    const { client, verdict } = await this.#outcomes(command);
    if (!/\|\| echo /.test(command)) expect(client.status, `${command}\n${client.stdout}${client.stderr}`).toBe(0);
    const printed = client.stdout.toString('latin1') + client.stderr + verdict;
    return printed.replaceAll('\r\n', '\n');
  }

  async #outcomes(command: string): Promise<{ client: Outcome; verdict: string }> {
    if (!this.#background) return { client: await this.#shell(command), verdict: '' };
    let client: Outcome | undefined;
    const { status, stdout, stderr } = await this.#endBackground(async () => {
      client = await this.#shell(command);
    });
    const verdict = `${stdout}${stderr}`.replaceAll(/^yodel: (?:listening on|draining) .*\n/gm, '');
    expect(status, `the status of the server in the background: ${verdict}`).toBe(0);
    return { client: client as unknown as Outcome, verdict };
  }

  async #shell(command: string): Promise<Outcome> {
    return await shell(await this.#here(command), { cwd: this.folder });
  }

  /** The command with the ports that are in use here. */
  async #here(command: string): Promise<string> {
    const own = command.replaceAll(/\b7000\b/g, this.#background?.port ?? '7000');
    const { port, start: startServer } = this.#workbench;
    const named = new RegExp(`(?<![\\w.])${port}\\b`, 'g');
    if (!startServer || !named.test(own)) return own;
    this.#port ??= await startServer(this.folder);
    return own.replaceAll(named, String(this.#port));
  }

  async #startBackground(command: string): Promise<void> {
    const words = (await this.#here(command.replace('--listen 7000', '--listen 127.0.0.1:0'))).replace(/ &$/, '');
    const line = words.replace(/^yodel /, `exec '${process.execPath}' '${commandPath}' `);
    const server = start(['sh', '-c', line], { cwd: this.folder, env: { YODEL_LOG_FORMAT: 'text' } });
    const [, port = ''] = await server.saw(/listening on \S+:(\d+)/);
    this.#background = { server, port, isPlaying: / --once\b/.test(command) };
  }

  /** Lets the server in the background serve, then ends it, or waits for the end of its play. */
  async #endBackground(serveOne: () => Promise<unknown>): Promise<Outcome> {
    const { server, isPlaying } = this.#background ?? {};
    if (!server) throw new Error('no server in the background');
    await serveOne();
    this.#background = undefined;
    return await (isPlaying ? server.ended : server.stop());
  }
}

/** The last command of a job that matches, and the file that the pattern has found in it. */
function commandWith(commands: readonly ShownCommand[], pattern: RegExp): { command: string; file: string } {
  for (const { command } of commands.toReversed()) {
    const file = pattern.exec(command)?.[1];
    if (file !== undefined) return { command, file };
  }
  throw new Error(`no command is like ${pattern}`);
}
