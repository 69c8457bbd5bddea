/** One child for each connection. */
import { realClock, type Timer } from '../../clock.ts';
import { formatDuration } from '../../format/figures.ts';
import { decodeChunk } from '../../framing/framing.ts';
import type { Batch } from '../../framing/message.ts';
import { type Conversation as Exchange, openConversation } from '../../framing/protocol.ts';
import { childDescriptors } from '../../process/child-descriptors.ts';
import type { HandlerObject } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';
import { decodeForwarded, forward, framesFor, type Target } from '../forwarding.ts';
import type { Child, ChildEnd } from './child.ts';
import { commandError, type ExecSettings, failureOf, reportStatus, startChild } from './settings.ts';

/** A handler that starts a child when a session opens. */
export function execPerConnection(settings: ExecSettings): HandlerObject {
  const conversations = new WeakMap<Session, Conversation>();
  return {
    forwarding: 'frames',
    limitsItself: true,
    awaitsClose: true,
    descriptors: childDescriptors,
    open: (session) => void conversations.set(session, new Conversation(session, settings)),
    batch: (batch, session) => conversations.get(session)?.pass(batch),
    end: (session) => conversations.get(session)?.endInput(),
    close: (session) => conversations.get(session)?.drop(),
  };
}

/** A session and its child. */
class Conversation {
  readonly #session: Session;
  readonly #settings: ExecSettings;
  readonly #child: Child;
  readonly #target: Target;
  /** Of what the child prints. Undefined once the session is over. */
  #decoder: Exchange['decoder'] | undefined;
  readonly #done = Promise.withResolvers<void>();
  #isStarted = false;
  #inputEnded = false;
  #peerIsBehind = false;
  #isOver = false;
  #timer: Timer | undefined;
  /** The reason why the child was ended. */
  #failure: string | undefined;

  constructor(session: Session, settings: ExecSettings) {
    this.#session = session;
    this.#settings = settings;
    const protocol = settings.protocol ?? session.protocol;
    const { encoder, sent, decoder } = openConversation(protocol, 'client', decodeForwarded(settings.maxOutput));
    this.#decoder = decoder;
    this.#target = { framing: protocol.framing, encoder, sent };
    this.#child = startChild(settings, session, () => this.#report());
    void this.#run();
  }

  /** Writes messages to the child. The promise, if any, resolves when the child can take more. */
  pass(batch: Batch): Promise<void> | undefined {
    const frames = framesFor(batch, this.#session, this.#target);
    const more = this.#child.write(frames);
    this.#report();
    this.#startTimer();
    return more?.then(() => this.#restartTimer());
  }

  /** Resolves when the child has ended and all its output was sent. */
  endInput(): Promise<void> {
    this.#child.endInput();
    this.#inputEnded = true;
    this.#startTimer();
    return this.#done.promise;
  }

  /** Ends the child, and discards its output. Resolves when it is gone. */
  drop(): Promise<void> {
    this.#isOver = true;
    // A child that ends slowly must not keep its unfinished message in memory.
    this.#decoder?.drop?.();
    this.#decoder = undefined;
    this.#timer?.cancel();
    this.#done.resolve();
    return this.#child.drop();
  }

  async #run(): Promise<void> {
    await this.#child.started;
    this.#isStarted = true;
    this.#startTimer();
    for await (const chunk of this.#child.output()) {
      this.#restartTimer();
      await this.#forward(chunk);
      this.#report();
      if (this.#isOver || this.#failure !== undefined) break;
    }
    if (this.#failure === undefined) this.#forwardRest();
    const end = await this.#child.exited;
    if (!this.#isOver) this.#closeSession(end);
    this.#isOver = true;
    this.#timer?.cancel();
    this.#done.resolve();
  }

  async #forward(chunk: Buffer): Promise<void> {
    if (!this.#decoder) return;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      if (batch.count > 0) this.#session.relayed(batch);
      if ((batch.count > 0 || batch.before) && !forward(batch, this.#session)) await this.#waitForPeer(chunk);
      if (batch.fault) return this.#fail(`printed a message of more than ${this.#settings.maxOutput} bytes`);
    }
  }

  /** @param chunk stays in memory meanwhile, and the session's connection may keep it as well */
  async #waitForPeer({ buffer }: Buffer): Promise<void> {
    const { keeper } = this.#session;
    this.#peerIsBehind = true;
    keeper.kept(buffer, buffer.byteLength);
    this.#report();
    this.#restartTimer();
    await this.#session.drained();
    this.#peerIsBehind = false;
    keeper.freed(buffer);
    this.#restartTimer();
  }

  #forwardRest(): void {
    const last = this.#decoder?.end();
    if (!last) return;
    if (last.count > 0) {
      this.#session.relayed(last);
      forward(last, this.#session);
    }
    if (last.fault) this.#fail('ended in the middle of a message');
  }

  #closeSession(end: ChildEnd): void {
    const failure = this.#failure ?? failureOf(end);
    if (failure !== undefined) return this.#session.close(commandError(failure, end));
    reportStatus(end, this.#session, this.#settings);
    this.#session.close();
  }

  #fail(failure: string): void {
    this.#failure ??= failure;
    this.#child.drop();
  }

  /** Says what is buffered here: what waits for the child, and its output that is not sent yet, unfinished messages included. */
  #report(): void {
    if (this.#isOver) return;
    const { pendingInput, pendingOutput } = this.#child;
    const { memory = 0, pending = 0 } = this.#decoder ?? {};
    this.#session.reportBuffered(pendingInput + pendingOutput + Math.max(memory, pending));
  }

  /** The child made progress. */
  #restartTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#startTimer();
  }

  /** The timer runs while the child has input or a final output to produce, and is not blocked by a slow peer. */
  #startTimer(): void {
    const { timeoutMs } = this.#settings;
    const hasWork = this.#isStarted && (this.#inputEnded || this.#child.hasInput);
    if (this.#timer || timeoutMs === 0 || !hasWork || this.#peerIsBehind || this.#isOver) return;
    this.#timer = realClock.deadline(timeoutMs, () => this.#fail(`did nothing for ${formatDuration(timeoutMs)}`));
  }
}
