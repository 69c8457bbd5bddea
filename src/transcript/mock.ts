import { YodelError } from '../errors.ts';
import { Message } from '../framing/message.ts';
import type { HandlerObject, Session } from '../session/handler.ts';
import { applicableEnding } from './ending.ts';
import { frameOf } from './frames.ts';
import { differenceOf, formatMessage, namesInMessage, partsOf } from './message-line.ts';
import { refuseSteps, refuseUnplayable } from './playable.ts';
import type { Ending, MessageContent, MessageStep, Step, Transcript } from './transcript.ts';
import { Values } from './values.ts';

/** Options of {@link mockServer}. */
export interface MockOptions {
  /**
   * Accept messages in any order, any number of times: each one is answered with the lines that follow the next line it matches.
   * Default: no; a message that differs from the transcript is answered with an error, and the session is closed.
   */
  readonly lenient?: boolean | undefined;
  /** Called when a client sends something that is not in the transcript. */
  readonly unexpected?: ((session: Session, error: YodelError) => void) | undefined;
}

/**
 * A handler that plays the server of a transcript, for testing clients. It plays the transcript from the start for each session.
 * With several clients, sessions take the clients' parts in the order in which they connect. The session after the last
 * part starts a new run of the transcript.
 *
 * @throws TranscriptError when a line cannot be played: a server cannot send a pattern, or a name that no client's line captures
 */
export function mockServer(transcript: Transcript, options: MockOptions = {}): HandlerObject {
  refuseUnplayable(transcript, '<');
  refuseSteps(transcript, ['any', 'unordered', 'repeat', 'set', 'expect-ending', 'starttls']);
  const parts = transcript.clients.length > 0 ? transcript.clients : [''];
  const plays = new WeakMap<Session, { readonly play: Play; readonly part: string }>();
  let open: { readonly play: Play; readonly free: string[] } | undefined;
  const join = (session: Session) => {
    open ??= { play: new Play(transcript, options), free: [...parts] };
    const { play, free } = open;
    const part = free.shift() ?? '';
    if (free.length === 0) open = undefined;
    plays.set(session, { play, part });
    return play.joined(part, session);
  };
  return {
    open: (session) => void join(session),
    async message(message, session) {
      const found = plays.get(session);
      await found?.play.received(found.part, message, session);
    },
    end(session) {
      const found = plays.get(session);
      return found?.play.ended(found.part);
    },
    close(session) {
      const found = plays.get(session);
      found?.play.left(found.part);
    },
  };
}

/** A received message; `done` is called when everything that follows its line has been played. */
interface Received {
  readonly message: Message;
  readonly done: () => void;
}

/** One run through the transcript. */
class Play {
  readonly #transcript: Transcript;
  readonly #options: MockOptions;
  readonly #values: Values;
  readonly #sessions = new Map<string, Session>();
  /** Clients that have ended their side. */
  readonly #ended = new Set<string>();
  /** Clients whose sessions are closed. */
  readonly #gone = new Set<string>();
  /** Messages received before their turn. */
  readonly #early = new Map<string, Received[]>();
  /** Messages that matched. They are done when the play waits for a client again; their sessions stay open until then. */
  #matched: (() => void)[] = [];
  #at = 0;
  #ending: Ending;
  /** The last message of each client that matched a line. */
  readonly #answered = new Map<string, Message>();
  /** Lenient: messages received during a pause, answered after it. */
  readonly #afterPause: (() => void)[] = [];
  /** Lenient: the step that gave each name its value. If that step matches again, it replaces the value. */
  readonly #namedBy = new Map<string, number>();
  #isPausing = false;

  constructor(transcript: Transcript, options: MockOptions) {
    this.#transcript = transcript;
    this.#values = new Values(transcript);
    this.#options = options;
  }

  joined(part: string, session: Session): void {
    this.#sessions.set(part, session);
    this.#continue();
  }

  /** Resolves when everything that follows the message was sent. */
  received(part: string, message: Message, session: Session): Promise<void> {
    return new Promise((done) => {
      if (this.#options.lenient) {
        const answer = () => {
          this.#matched.push(done);
          this.#answer(part, message, session);
        };
        // The lines after the pause are sent first.
        if (this.#isPausing) this.#afterPause.push(answer);
        else answer();
        return;
      }
      const early = this.#early.get(part) ?? [];
      early.push({ message, done });
      this.#early.set(part, early);
      this.#continue();
    });
  }

  /** The client has ended its side. Resolves when everything that follows was played; its session stays open until then. */
  ended(part: string): Promise<void> {
    this.#ended.add(part);
    return new Promise((done) => {
      this.#matched.push(done);
      if (this.#options.lenient) this.#settle();
      else this.#continue();
    });
  }

  /** The session is closed; the others continue without it. */
  left(part: string): void {
    this.#sessions.delete(part);
    for (const { done } of this.#early.get(part) ?? []) done();
    this.#early.delete(part);
    this.#gone.add(part);
    if (!this.#options.lenient) this.#continue();
  }

  /** Plays until it has to wait for a client. */
  #continue(): void {
    this.#playUntilBlocked();
    this.#settle();
  }

  #playUntilBlocked(): void {
    const { steps } = this.#transcript;
    while (!this.#isPausing && this.#at < steps.length) {
      const step = steps[this.#at] as Step;
      const isOver = 'client' in step && this.#gone.has(step.client);
      if ('client' in step && !isOver && !this.#sessions.has(step.client)) return;
      if (!isOver && step.kind === 'close' && !this.#ended.has(step.client)) return;
      // A reset is noticed when the session is closed.
      if (!isOver && step.kind === 'reset') return;
      if (!isOver && step.kind === 'message' && step.side === '>') {
        const received = this.#early.get(step.client)?.shift();
        if (!received) return;
        const { message, done } = received;
        this.#matched.push(done);
        if (differenceOf(step, message, this.#values) !== undefined) return this.#refuse(step, message);
        this.#answered.set(step.client, message);
      } else if (!isOver) this.#perform(step);
      this.#at++;
    }
    if (this.#isPausing || this.#at < steps.length) return;
    for (const [part, [first]] of [...this.#early]) if (first) this.#refuse(part, first.message);
  }

  /** Marks the messages that matched as done: nothing more is sent for them. */
  #settle(): void {
    if (this.#isPausing) return;
    const matched = this.#matched;
    this.#matched = [];
    for (const done of matched) done();
  }

  /** Lenient: plays the lines after the next line that matches, searching from the current step and wrapping around. */
  #answer(part: string, message: Message, session: Session): void {
    const { steps } = this.#transcript;
    for (let tries = 0; tries < steps.length; tries++) {
      const index = (this.#at + tries) % steps.length;
      const step = steps[index] as Step;
      const isCandidate = step.kind === 'message' && step.side === '>' && step.client === part;
      if (!isCandidate || !this.#matchesAgain(index, step, message)) continue;
      this.#answered.set(part, message);
      this.#at = index + 1;
      this.#performUntilNext();
      return this.#settle();
    }
    this.#settle();
    this.#options.unexpected?.(
      session,
      new YodelError('YODEL_UNEXPECTED_MESSAGE', `no line of ${this.#transcript.file} matches ${shown(message)}`),
    );
  }

  #matchesAgain(index: number, expected: MessageContent, message: Message): boolean {
    const names = namesInMessage(expected);
    const values = this.#values.fork();
    for (const name of names) if (this.#namedBy.get(name) === index) values.delete(name);
    if (differenceOf(expected, message, values) !== undefined) return false;
    for (const name of names) {
      const value = values.get(name);
      if (value) this.#values.set(name, value);
      if (!this.#namedBy.has(name)) this.#namedBy.set(name, index);
    }
    return true;
  }

  #performUntilNext(): void {
    const { steps } = this.#transcript;
    while (!this.#isPausing && this.#at < steps.length) {
      const step = steps[this.#at] as Step;
      if (step.kind === 'message' && step.side === '>') return;
      this.#perform(step);
      this.#at++;
    }
  }

  /** Plays a step of the server. */
  #perform(step: Step): void {
    const session = 'client' in step ? this.#sessions.get(step.client) : undefined;
    if (step.kind === 'ending') this.#ending = step.ending;
    else if (step.kind === 'wait' || step.kind === 'silence') this.#pause(step.ms);
    else if (step.kind === 'closed') session?.close();
    else if (step.kind === 'message') this.#send(step, session);
  }

  #send(step: MessageStep, session: Session | undefined): void {
    if (!session) return;
    const { client, line } = step;
    const parts = partsOf(step, this.#values);
    if (!parts) return this.#fail(session, line, 'a name in it has no value');
    const { payload, header, kind } = parts;
    // Also where the session's framing is not the transcript's.
    const ending = applicableEnding(session.replyFraming, this.#ending);
    try {
      if (ending) {
        session.write(frameOf(session.replyFraming, { ...parts, ending }), 1);
        return;
      }
      // Without a header, a reply gets that of the message it answers. Without a mark, it is text, if it can be.
      const answered = header || session.framing.name === 'websocket' ? undefined : this.#answered.get(client);
      const message = header || kind ? Message.of(payload, { header, kind }) : payload;
      const sent = session.send(message, answered);
      if (sent instanceof YodelError) this.#fail(session, line, sent.message);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#fail(session, line, error.message);
    }
  }

  /** A line cannot be sent. Closes the session, because its client would wait for the line in vain. */
  #fail(session: Session, line: number, reason: string): void {
    const text = `${this.#transcript.file}:${line} cannot be sent: ${reason}`;
    this.#options.unexpected?.(session, new YodelError('YODEL_UNEXPECTED_MESSAGE', text));
    session.close();
  }

  #pause(ms: number): void {
    if (ms === 0) return;
    this.#isPausing = true;
    setTimeout(() => {
      this.#isPausing = false;
      if (this.#options.lenient) {
        this.#performUntilNext();
        this.#settle();
        while (!this.#isPausing && this.#afterPause.length > 0) this.#afterPause.shift()?.();
      } else this.#continue();
    }, ms);
  }

  /** The client deviated from the transcript: sends it an error and closes the session. */
  #refuse(expected: MessageStep | string, message: Message): void {
    const part = typeof expected === 'string' ? expected : expected.client;
    const session = this.#sessions.get(part);
    if (!session) return;
    const { file, lines: text } = this.#transcript;
    const what =
      typeof expected === 'string'
        ? `${file}: expected no more messages`
        : `${file}:${expected.line}: expected ${text[expected.line - 1]}`;
    const error = new YodelError('YODEL_UNEXPECTED_MESSAGE', `${what}, received ${shown(message)}`);
    this.#options.unexpected?.(session, error);
    session.send(`error: ${error.message}`);
    session.close();
    this.left(part);
  }
}

/** The message as a line of a transcript. */
function shown(message: Message): string {
  const text = `>${formatMessage(message)}`;
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
}
