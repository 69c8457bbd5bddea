/** Real brokers for tests. */
import { mkdirSync, rmSync } from 'node:fs';
import { temporaryFolder } from '../../support/files.ts';
import { freePort } from '../../support/ports.ts';
import { type Running, start } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

/** `test`, if both brokers are there. */
export const withBrokers = testWith(
  ['redis-server', '/usr/sbin/nats-server'],
  'apt-get install redis-server nats-server',
);

/** How to start each broker, and what it prints when it runs. */
const programs = {
  redis: (port: number): [[string, ...string[]], RegExp] => [
    ['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--save', ''],
    /Ready to accept connections/,
  ],
  nats: (port: number): [[string, ...string[]], RegExp] => [
    ['/usr/sbin/nats-server', '-a', '127.0.0.1', '-p', `${port}`],
    /Server is ready/,
  ],
};

/** What makes each broker keep data in a folder. */
const keeping = {
  redis: (folder: string) => ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always'],
  nats: (folder: string) => ['-js', '-sd', folder],
};

export type Kind = keyof typeof programs;

export const kinds: readonly Kind[] = ['redis', 'nats'];

/** A broker that can be killed and started again. */
export class BrokerProgram {
  readonly kind: keyof typeof programs;
  readonly port: number;
  readonly #more: readonly string[];
  /** Where it keeps data. */
  readonly #folder: string | undefined;
  #running!: Running;

  private constructor(kind: keyof typeof programs, port: number, more: readonly string[], folder: string | undefined) {
    this.kind = kind;
    this.port = port;
    this.#more = more;
    this.#folder = folder;
  }

  /** @param more further arguments */
  static async start(kind: keyof typeof programs, more: readonly string[] = []): Promise<BrokerProgram> {
    return await BrokerProgram.#start(kind, more, undefined);
  }

  /** One that keeps data on disk: histories of rooms. */
  static async startWithStore(kind: keyof typeof programs, more: readonly string[] = []): Promise<BrokerProgram> {
    return await BrokerProgram.#start(kind, more, temporaryFolder());
  }

  static async #start(kind: keyof typeof programs, more: readonly string[], folder: string | undefined) {
    const broker = new BrokerProgram(kind, await freePort(), more, folder);
    await broker.start();
    return broker;
  }

  /** @param user `USER:PASSWORD@` */
  url(user = ''): string {
    return `${this.kind}://${user}127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const [[program, ...given], ready] = programs[this.kind](this.port);
    const folder = this.kind === 'redis' ? ['--dir', temporaryFolder()] : [];
    const data = this.#folder === undefined ? folder : keeping[this.kind](this.#folder);
    this.#running = start([program, ...given, ...data, ...this.#more]);
    await this.#running.saw(ready);
  }

  /** kill -9, and starts it again, with the data that it keeps, if any. */
  async restart(kind: 'with data' | 'without data' = 'with data'): Promise<void> {
    await this.#running.stop('SIGKILL');
    if (kind === 'without data' && this.#folder !== undefined) {
      rmSync(this.#folder, { recursive: true });
      mkdirSync(this.#folder);
    }
    await this.start();
  }

  /** What it has printed since its last start. */
  get output(): string {
    return this.#running.stderr() + this.#running.stdout();
  }

  signal(signal: NodeJS.Signals): void {
    this.#running.process.kill(signal);
  }
}
