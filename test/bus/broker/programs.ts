/** Real brokers for tests. */
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

export const kinds: readonly ('redis' | 'nats')[] = ['redis', 'nats'];

/** A broker that can be killed and started again. */
export class BrokerProgram {
  readonly kind: keyof typeof programs;
  readonly port: number;
  readonly #more: readonly string[];
  #running!: Running;

  private constructor(kind: keyof typeof programs, port: number, more: readonly string[]) {
    this.kind = kind;
    this.port = port;
    this.#more = more;
  }

  /** @param more further arguments */
  static async start(kind: keyof typeof programs, more: readonly string[] = []): Promise<BrokerProgram> {
    const broker = new BrokerProgram(kind, await freePort(), more);
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
    this.#running = start([program, ...given, ...folder, ...this.#more]);
    await this.#running.saw(ready);
  }

  /** kill -9, and starts it again. */
  async restart(): Promise<void> {
    await this.#running.stop('SIGKILL');
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
