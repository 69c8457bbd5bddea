/** Plays the clients of a transcript against a server, and compares what it answers. */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { lines } from '../framing/lines.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { bytesOf, matches, namesIn } from './content.ts';
import { frameOf } from './frames.ts';
import { refuseUnplayable } from './playable.ts';
import { Player } from './player.ts';
import type { Captures, ConnectTls, Ending, MessageStep, Step, Transcript } from './transcript.ts';

/** How to play. Times are milliseconds. */
export interface CheckOptions {
  /** Default: what `@address` says, else `tcp://127.0.0.1:7878`. */
  readonly address?: Address | string | undefined;
  /** How long is waited for each message, until a `@timeout` says something else. Default 5000. */
  readonly timeoutMs?: number | undefined;
  /** How long connecting may take. Default 10000. */
  readonly connectTimeoutMs?: number | undefined;
  /** For addresses over TLS; what `@connect` says goes over it. */
  readonly tls?: TlsOptions | undefined;
  /** Reads a file that `@connect cacert=` names. Default: none can be named. */
  readonly readFile?: ((path: string) => string) | undefined;
}

/** Something is not as the transcript has it. */
export interface Difference {
  /** The line that was not met; of a message too many, the last line of its client. */
  readonly line: number;
  readonly client: string;
  /** What was expected; undefined: nothing. */
  readonly expected: string | undefined;
  /** The message that came instead; undefined: none. */
  readonly actual: Uint8Array | undefined;
  /** In words, such as `no message within 5 s`. */
  readonly reason: string;
  /** Nothing was waited for, because something before went wrong. */
  readonly skipped?: boolean | undefined;
}

/** How it went. */
export interface CheckResult {
  readonly transcript: Transcript;
  readonly differences: readonly Difference[];
  /** Messages that were expected. */
  readonly expected: number;
  readonly elapsedMs: number;
}

/**
 * Plays the clients' part of a transcript against a server. It goes on after a difference; but when a message does not come at
 * all, or the connection is gone, what follows for that client is not waited for.
 *
 * @throws TranscriptError when a line cannot be played: a client cannot send a pattern, or a name that stands for nothing yet
 * @throws YodelError when it cannot connect
 */
export async function check(transcript: Transcript, options: CheckOptions = {}): Promise<CheckResult> {
  refuseUnplayable(transcript, '>');
  return await new Check(transcript, options).run();
}

/** After the last line the server has so long to end as well; what comes meanwhile is too much. */
const lastMessagesMs = 1000;
/** Of messages too many, so many are told of each place. */
const mostTooMuch = 100;

class Check {
  readonly #transcript: Transcript;
  readonly #options: CheckOptions;
  readonly #captures: Captures = new Map();
  readonly #players = new Map<string, Player>();
  /** Clients of which nothing can be expected any more. */
  readonly #lost = new Set<string>();
  readonly #differences: Difference[] = [];
  readonly #address: Address;
  #timeoutMs: number;
  #ending: Ending = 'lf';

  constructor(transcript: Transcript, options: CheckOptions) {
    this.#transcript = transcript;
    this.#options = options;
    const address = options.address ?? transcript.address ?? defaultAddress;
    this.#address = typeof address === 'string' ? parseAddress(address) : address;
    this.#timeoutMs = options.timeoutMs ?? 5000;
  }

  async run(): Promise<CheckResult> {
    const began = performance.now();
    const transcript = this.#transcript;
    try {
      for (const step of transcript.steps) await this.#play(step);
      for (const [client, player] of this.#players) await this.#finish(client, player);
    } finally {
      for (const player of this.#players.values()) player.abort();
    }
    const expected = transcript.steps.filter((step) => step.kind === 'message' && step.side === '<').length;
    const elapsedMs = performance.now() - began;
    return { transcript, differences: this.#differences, expected, elapsedMs };
  }

  async #play(step: Step): Promise<void> {
    switch (step.kind) {
      case 'message':
        return step.side === '>' ? await this.#send(step) : await this.#expect(step);
      case 'wait':
        return await pause(step.ms);
      case 'timeout':
        this.#timeoutMs = step.ms;
        return;
      case 'ending':
        this.#ending = step.ending;
        return;
      case 'connect':
        await this.#playerOf(step.client, step.tls);
        return;
      case 'close':
        (await this.#playerOf(step.client)).end();
        return;
      case 'reset':
        (await this.#playerOf(step.client)).abort();
        this.#lost.add(step.client);
        return;
      case 'silence':
        return await this.#expectSilence(step.client, step.ms, step.line);
      case 'closed':
        return await this.#expectEnd(step.client, step.line);
    }
  }

  async #send({ client, content, line }: MessageStep): Promise<void> {
    const player = await this.#playerOf(client);
    const bytes = bytesOf(content, this.#captures);
    if (!bytes) {
      const missing = namesIn(content).filter((name) => !this.#captures.has(name));
      return this.#tooMuch(line, client, undefined, `not sent: {${missing.join('}, {')}} stands for nothing`);
    }
    if (player.carriesMessages) return player.send(bytes);
    try {
      player.send(frameOf(this.#transcript.framing ?? lines(), bytes, this.#ending));
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#tooMuch(line, client, undefined, `not sent: ${error.message}`);
    }
  }

  async #expect({ client, content, line }: MessageStep): Promise<void> {
    const player = await this.#playerOf(client);
    if (this.#lost.has(client))
      return this.#differ(line, client, undefined, 'no message: the one before did not come either', true);
    const arrived = await player.next(this.#timeoutMs);
    if ('bytes' in arrived) {
      if (!matches(content, arrived.bytes, this.#captures))
        this.#differ(line, client, arrived.bytes, 'another message');
      return;
    }
    this.#lost.add(client);
    const reasons = {
      timeout: `no message within ${this.#timeoutMs} ms`,
      ended: 'the server ended the connection',
      broken: `the connection broke: ${arrived.why}`,
    };
    this.#differ(line, client, undefined, reasons[arrived.absent]);
  }

  async #expectSilence(client: string, ms: number, line: number): Promise<void> {
    const arrived = await (await this.#playerOf(client)).next(ms);
    if ('bytes' in arrived)
      this.#tooMuch(line, client, arrived.bytes, `a message, where ${ms} ms of silence were expected`);
    else if (arrived.absent === 'broken') this.#broke(line, client, arrived.why);
  }

  async #expectEnd(client: string, line: number): Promise<void> {
    const player = await this.#playerOf(client);
    const until = performance.now() + this.#timeoutMs;
    for (let count = 0; ; count++) {
      const arrived = await player.next(until - performance.now());
      if ('bytes' in arrived && count < mostTooMuch && performance.now() < until)
        this.#tooMuch(line, client, arrived.bytes, 'a message, where the server was expected to end');
      else if ('bytes' in arrived || arrived.absent === 'timeout')
        return this.#tooMuch(line, client, undefined, `the server did not end within ${this.#timeoutMs} ms`);
      else if (arrived.absent === 'broken') return this.#broke(line, client, arrived.why);
      else return;
    }
  }

  #broke(line: number, client: string, why: string | undefined): void {
    this.#lost.add(client);
    this.#tooMuch(line, client, undefined, `the connection broke: ${why}`);
  }

  /** What comes when all lines were played is too much. */
  async #finish(client: string, player: Player): Promise<void> {
    const last = this.#transcript.steps.findLast((step) => 'client' in step && step.client === client);
    const line = last?.line ?? 1;
    const { messages, broken } = await player.finish(lastMessagesMs);
    for (const bytes of messages.slice(0, mostTooMuch)) {
      this.#tooMuch(line, client, bytes, 'a message more than expected');
    }
    if (messages.length > mostTooMuch)
      this.#tooMuch(line, client, undefined, `${messages.length - mostTooMuch} messages more`);
    if (broken !== undefined && !this.#lost.has(client)) this.#broke(line, client, broken);
  }

  async #playerOf(client: string, tls: ConnectTls = {}): Promise<Player> {
    const known = this.#players.get(client);
    if (known) return known;
    const { connectTimeoutMs = 10_000, readFile } = this.#options;
    const { cacert, ...others } = tls;
    const ca = cacert === undefined ? undefined : readFile?.(cacert);
    if (cacert !== undefined && ca === undefined)
      throw new YodelError('YODEL_INVALID_OPTION', `cannot read cacert=${cacert}`);
    const given = { ...this.#options.tls, ...others, ...(ca === undefined ? {} : { ca }) };
    const player = await Player.connect(this.#address, this.#transcript.framing ?? lines(), connectTimeoutMs, given);
    this.#players.set(client, player);
    return player;
  }

  #differ(line: number, client: string, actual: Uint8Array | undefined, reason: string, skipped = false): void {
    this.#differences.push({
      line,
      client,
      expected: this.#transcript.lines[line - 1],
      actual,
      reason,
      ...(skipped ? { skipped } : {}),
    });
  }

  #tooMuch(line: number, client: string, actual: Uint8Array | undefined, reason: string): void {
    this.#differences.push({ line, client, expected: undefined, actual, reason });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
