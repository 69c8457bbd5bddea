/** One run of a transcript: which connection is which client's, its second addresses, and when it is over. */
import { TcpAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';
import { type Server, serve } from '../../server/server.ts';
import type { HandlerObject } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';
import type { Transcript } from '../transcript.ts';
import type { MockClient } from './client.ts';
import type { LeftBehind } from './inbox.ts';
import { LenientPlay } from './lenient.ts';
import type { MockOptions } from './options.ts';
import type { Play } from './play.ts';
import { givenAddress, isEncrypted, isSecondConnect, nameAddress, type SecondConnect } from './second-address.ts';
import { Stage } from './stage.ts';
import { connectionsIn } from './starts.ts';
import { StrictPlay } from './strict.ts';
import type { MockProblem } from './verdict.ts';

/** After the last line: how long clients may stay silent before the run is over, in milliseconds. */
const quietMs = 1000;

/** What a run reports. */
export interface RunListener {
  /** Called once. */
  over(run: Run): void;
  /** Called when a client sends more after that. */
  late(problems: readonly MockProblem[]): void;
}

/** One run. */
export class Run {
  readonly play: Play;
  readonly #stage: Stage;
  readonly #transcript: Transcript;
  readonly #options: MockOptions;
  /** The clients of the connections that are still to come. */
  readonly #due: string[];
  readonly #seconds: readonly SecondConnect[];
  readonly #clients = new Map<Session, MockClient>();
  /** Sessions that were closed before their client could join. */
  readonly #closed = new WeakSet<Session>();
  #servers: Server[] = [];
  #ready: Promise<void> | undefined;
  #quiet: NodeJS.Timeout | undefined;
  readonly #listener: RunListener;
  hasReceived = false;
  isOver = false;
  #isReleased = false;

  /** @param left what clients of all runs leave behind */
  constructor(transcript: Transcript, options: MockOptions, left: LeftBehind, listener: RunListener) {
    const connections = connectionsIn(transcript);
    this.#transcript = transcript;
    this.#options = options;
    this.#stage = new Stage(transcript, options, left, () => this.#progressed());
    this.play = options.lenient ? new LenientPlay(this.#stage) : new StrictPlay(this.#stage);
    const names = connections.filter(({ step }) => !step).map(({ client }) => client);
    this.#due = names.length > 0 ? names : [''];
    this.#seconds = connections.map(({ step }) => step).filter(isSecondConnect);
    this.#listener = listener;
  }

  /** Whether it has a client for another connection. */
  get takesMore(): boolean {
    return this.#nextIndex !== -1;
  }

  /** The next client that is not connected. */
  get #nextIndex(): number {
    return this.#due.findIndex((name) => ![...this.#clients.values()].some((one) => one.name === name && isOpen(one)));
  }

  /** Gives a connection to the next client. With second addresses, resolves when the mock listens there. */
  join(session: Session): Promise<void> | undefined {
    const [name = ''] = this.#due.splice(this.#nextIndex, 1);
    if (this.#seconds.length > 0) this.#ready ??= this.#listen(session);
    if (!this.#ready) return void this.#join(name, session);
    return this.#ready.then(() => this.#join(name, session));
  }

  #join(name: string, session: Session): void {
    const client = this.play.joined(name, session);
    this.#clients.set(session, client);
    if (this.#closed.has(session)) this.left(session);
  }

  received(session: Session, message: Message): Promise<void> | undefined {
    const client = this.#clients.get(session);
    if (!client) return undefined;
    this.hasReceived = true;
    const { length } = this.play.problems;
    const room = this.play.received(client, message);
    if (this.isOver) this.#listener.late(this.play.problems.slice(length));
    return room;
  }

  async ended(session: Session): Promise<void> {
    const client = this.#clients.get(session);
    // A server that shuts down is no end of its clients.
    if (!client || session.endedBy === 'shutdown' || session.endedBy === 'limit') return;
    const ended = this.play.ended(client);
    if (this.#isReleased) client.settle();
    await ended;
  }

  left(session: Session): void {
    const client = this.#clients.get(session);
    if (!client) return void this.#closed.add(session);
    // A server that shuts down leaves its clients, and not they it: what is due then is still due.
    if (session.endedBy === 'shutdown' && !client.hasEnded) return client.settle();
    this.play.left(client);
  }

  /** The server shuts down: sessions of clients that have ended are not kept for what others would cause. */
  release(): void {
    this.#isReleased = true;
    for (const client of this.#clients.values()) client.settle();
    for (const server of this.#servers) void server.close({ timeoutMs: 0 });
  }

  /** Ends it. */
  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#quiet);
    this.play.stop();
    for (const server of this.#servers) void server.close({ timeoutMs: 0 });
    this.#listener.over(this);
  }

  #progressed(): void {
    clearTimeout(this.#quiet);
    if (this.isOver) return;
    const { isFinished } = this.play;
    const { areAllGone, isPausing } = this.#stage;
    const isOver = this.#clients.size > 0 && areAllGone && !isPausing;
    if (isOver && (isFinished || !this.takesMore)) this.stop();
    else if (isFinished) this.#quiet = setTimeout(() => this.stop(), quietMs).unref();
  }

  async #listen({ local }: Session): Promise<void> {
    const host = local instanceof TcpAddress ? local.host : '127.0.0.1';
    for (const step of this.#seconds) await this.#listenFor(step, host);
  }

  async #listenFor(step: SecondConnect, host: string): Promise<void> {
    const { values } = this.#stage;
    const given = givenAddress(step, values);
    const address = given ?? new TcpAddress(host, 0);
    const { tls } = this.#options;
    if (isEncrypted(step) && !tls)
      throw new YodelError(
        'YODEL_INVALID_OPTION',
        `${step.client} connects over TLS; add the option tls with a certificate`,
      );
    const server = await serve({
      listen: isEncrypted(step) ? `tls://${host}:0` : address,
      tls: isEncrypted(step) ? tls : undefined,
      protocol: { ...(step.wire ?? this.#transcript.protocol), encoding: 'binary' },
      handler: this.#handlerFor(step),
    });
    this.#servers.push(server);
    const [actual] = server.addresses;
    if (!given && actual instanceof TcpAddress) nameAddress(this.#transcript, step, actual, values);
  }

  #handlerFor({ client }: SecondConnect): HandlerObject {
    return {
      ...(this.#options.tls && { startsTls: true }),
      limitsItself: true,
      sequential: true,
      open: (session) => this.#join(client, session),
      message: (message, session) => this.received(session, message),
      end: (session) => this.ended(session),
      close: (session) => this.left(session),
    };
  }
}

/** Whether a client may still use its connection. */
function isOpen({ hasEnded, isGone, isLost }: MockClient): boolean {
  return !hasEnded && !isGone && !isLost;
}
