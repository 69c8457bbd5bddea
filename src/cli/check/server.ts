/** The server under test, which `--start` runs: started before the files, and ended after them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { addressAt, hostOf, type SocketAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { formatDuration } from '../../format/figures.ts';
import { commandWords, needsShell } from '../../process/command-words.ts';
import { eachLine } from '../../process/each-line.ts';
import { ProcessGroup } from '../../process/process-group.ts';
import { findPorts } from '../serve/ports.ts';
import { accepts, listensHere } from './listening.ts';

/** How a server is started. */
export interface StartSettings {
  /** The command line, in which `{port}` and `{host}` stand for those of the address. */
  readonly command: string;
  /** Where it will listen. Port 0: a free port, which is chosen anew for each start. */
  readonly address: SocketAddress;
  /** How long it may take until it listens, in milliseconds. */
  readonly timeoutMs: number;
}

/** How often to look whether it listens. */
const intervalMs = 15;
/** Where the kernel's table shows no listener, it may be in another namespace, as in a container: then connections are tried. */
const tableOnlyMs = 1000;
/** The time to end after SIGTERM, before everything that is left is killed. */
const graceMs = 5000;
const keptLines = 15;
const maxLineLength = 500;
/** How long a server may take to crash after the last client. */
const crashMs = 50;
/** Signals of a crash, and the statuses by which a shell reports them. */
const crashSignals = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'];
const crashStatuses = [132, 133, 134, 135, 136, 139];

/** The codes of a {@link ServerFailed}. */
export type ServerFailureCode = 'YODEL_COMMAND_FAILED' | 'YODEL_CONNECT_TIMEOUT' | 'YODEL_ADDRESS_IN_USE';

/** A server that failed. The excerpt has the last lines that it printed. */
export class ServerFailed extends YodelError {
  /** The message without the lines. */
  readonly reason: string;
  readonly excerpt: string | undefined;

  constructor(code: ServerFailureCode, reason: string, lines: readonly string[] = []) {
    super(code, lines.length === 0 ? reason : `${reason}; it printed:`);
    this.reason = reason;
    this.excerpt = lines.length === 0 ? undefined : lines.map((line) => `  | ${line}`).join('\n');
  }
}

/** A server that listens. */
export class ServerUnderTest {
  readonly address: SocketAddress;
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #group: ProcessGroup | undefined;
  /** Resolves when its process has ended. */
  readonly ended: Promise<void>;
  readonly #lines: string[] = [];
  /** Whether the command names its port. */
  readonly #hasPort: boolean;
  #how: string | undefined;
  #isGood = false;
  #isStarted = true;
  #isStopped = false;

  /**
   * Starts a server, and resolves when it listens.
   *
   * @throws YodelError `YODEL_COMMAND_FAILED` when it ends before; `YODEL_CONNECT_TIMEOUT`; `YODEL_ADDRESS_IN_USE` when
   *   something else listens at the address already
   */
  static async start({ command, address: wanted, timeoutMs }: StartSettings): Promise<ServerUnderTest> {
    const address = await withPort(wanted);
    if (await isTaken(address)) {
      const text = `something listens on ${address} already, which would be tested instead of the server of --start`;
      throw new ServerFailed('YODEL_ADDRESS_IN_USE', `${text}; stop it, or use port 0 and {port} in the command`);
    }
    const server = new ServerUnderTest(command, address);
    try {
      await server.#untilListening(timeoutMs);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  private constructor(command: string, address: SocketAddress) {
    this.address = address;
    const port = 'port' in address ? String(address.port) : '';
    this.#hasPort = port === '' || command.includes('{port}') || command.includes(port);
    this.#command = command.replaceAll('{port}', port).replaceAll('{host}', hostOf(address) ?? '');
    const [file, ...args] = needsShell(this.#command) ? ['/bin/sh', '-c', this.#command] : commandWords(this.#command);
    const env = port === '' ? process.env : { ...process.env, PORT: port };
    const child = spawn(file as string, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
    this.#child = child;
    this.#group = child.pid === undefined ? undefined : new ProcessGroup(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) eachLine(stream, (line) => this.#keep(line), maxLineLength, { keepsPartial: true });
    }
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#isStarted = false;
        this.#how = `cannot be started: ${startErrorText(error)}`;
        resolve();
      });
      child.on('exit', (status, signal) => {
        if (this.#isStopped && !isCrash(status, signal)) this.#isGood = true;
        this.#isGood ||= status === 0;
        this.#how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
        resolve();
      });
    });
  }

  /** How it failed while it was tested. Undefined: it still runs, it ended with status 0, or it was stopped. */
  get failure(): ServerFailed | undefined {
    if (this.#how === undefined || this.#isGood) return undefined;
    return new ServerFailed('YODEL_COMMAND_FAILED', `the server of --start ${this.#how}`, this.#lines);
  }

  /** Ends it with everything that it started, and resolves when all of it is gone. */
  async stop(): Promise<void> {
    // Many servers that crash do so when a client leaves.
    await Promise.race([this.ended, pause(crashMs)]);
    this.#isStopped = true;
    await this.#group?.end(graceMs);
    await this.ended;
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > keptLines) this.#lines.shift();
  }

  async #untilListening(timeoutMs: number): Promise<void> {
    const startedAt = performance.now();
    const lateAt = startedAt + timeoutMs;
    while (this.#how === undefined) {
      const triesConnecting = performance.now() - startedAt > tableOnlyMs;
      if (await isListening(this.address, triesConnecting)) return;
      if (performance.now() > lateAt) throw this.#late(timeoutMs);
      await Promise.race([this.ended, pause(intervalMs)]);
    }
    // What it printed last may still be in the pipe.
    await Promise.race([new Promise((resolve) => this.#child.once('close', resolve)), pause(200)]);
    const text = `the server of --start ${this.#how}${this.#isStarted ? ` before it listened on ${this.address}` : ''}`;
    const hint = this.#isGood ? '; it must stay in the foreground' : '';
    throw new ServerFailed('YODEL_COMMAND_FAILED', text + hint, this.#lines);
  }

  /** A chosen port is known to the server only by the command or the environment. */
  get #hint(): string {
    return this.#hasPort ? '' : '; tell it the port: {port} in the command, or the environment variable PORT';
  }

  #late(timeoutMs: number): ServerFailed {
    const within = `within ${formatDuration(timeoutMs)} (--start-timeout)`;
    const text = `the server of --start does not listen on ${this.address} ${within}${this.#hint}`;
    return new ServerFailed('YODEL_CONNECT_TIMEOUT', text, this.#lines);
  }
}

function isCrash(status: number | null, signal: NodeJS.Signals | null): boolean {
  return signal === null ? crashStatuses.includes(status ?? 0) : crashSignals.includes(signal);
}

async function withPort(address: SocketAddress): Promise<SocketAddress> {
  if (!('port' in address) || address.port !== 0) return address;
  const [found] = await findPorts([address], 1);
  return addressAt(address, address.host, (found as typeof address).port);
}

async function isTaken(address: SocketAddress): Promise<boolean> {
  return ('port' in address ? listensHere(address) : undefined) ?? (await accepts(address));
}

async function isListening(address: SocketAddress, triesConnecting: boolean): Promise<boolean> {
  const here = 'port' in address ? listensHere(address) : undefined;
  if (here === true) return true;
  return here === undefined || triesConnecting ? await accepts(address) : false;
}

function startErrorText(error: NodeJS.ErrnoException): string {
  return error.code === 'ENOENT' && error.path ? `there is no program ${error.path}` : error.message;
}
