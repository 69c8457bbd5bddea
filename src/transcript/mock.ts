/** Plays the server of a transcript: a handler for testing clients. */
import { YodelError } from '../errors.ts';
import { lines } from '../framing/lines.ts';
import type { Message } from '../framing/message.ts';
import type { HandlerObject, Session } from '../session/handler.ts';
import { bytesOf, formatContent, matches, namesIn } from './content.ts';
import { messageOf } from './frames.ts';
import { refuseUnplayable } from './playable.ts';
import type { Captures, Content, Ending, MessageStep, Step, Transcript } from './transcript.ts';

/** How the server keeps to its part. */
export interface MockOptions {
  /**
   * Whether clients may say their lines in another order, and again: each message is answered with what follows the next line
   * that it is. Default: no; then a message that is not the one of the transcript is answered with an error, and the session ends.
   */
  readonly lenient?: boolean | undefined;
  /** Told when a client says what the transcript does not have. */
  readonly unexpected?: ((session: Session, error: YodelError) => void) | undefined;
}

/**
 * A handler that plays the server's part of a transcript. Each session is played it from the beginning; in one with several
 * clients, sessions take their parts in the order in which they come, and then it begins anew.
 *
 * @throws TranscriptError when a line cannot be played: a server cannot send a pattern, or a name that no client's line gives it
 */
export function mockServer(transcript: Transcript, options: MockOptions = {}): HandlerObject {
  refuseUnplayable(transcript, '<');
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
      await found?.play.heard(found.part, message, session);
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

/** A message, and whom to tell that all that follows it has been done. */
interface Said {
  readonly message: Message;
  readonly done: () => void;
}

/** One performance. */
class Play {
  readonly #transcript: Transcript;
  readonly #options: MockOptions;
  readonly #captures: Captures = new Map();
  readonly #sessions = new Map<string, Session>();
  /** Clients that say no more. */
  readonly #ended = new Set<string>();
  /** Clients that have been here. */
  readonly #gone = new Set<string>();
  /** What was said before its turn. */
  readonly #early = new Map<string, Said[]>();
  /** Those whose messages were met, and wait for the play to come to rest: until then their sessions stay open. */
  #met: (() => void)[] = [];
  #at = 0;
  #ending: Ending = 'lf';
  /** Lenient: what came in a pause, and is answered after it. */
  readonly #afterPause: (() => void)[] = [];
  /** Lenient: the lines that gave names what they stand for. When a line is said again, it gives its own anew. */
  readonly #namedBy = new Map<string, number>();
  /** It goes on when a pause is over. */
  #isPausing = false;

  constructor(transcript: Transcript, options: MockOptions) {
    this.#transcript = transcript;
    this.#options = options;
  }

  joined(part: string, session: Session): void {
    this.#sessions.set(part, session);
    this.#goOn();
  }

  /** Resolves when it is answered with all that follows it. */
  heard(part: string, message: Message, session: Session): Promise<void> {
    return new Promise((done) => {
      if (this.#options.lenient) {
        const answer = () => {
          this.#met.push(done);
          this.#answer(part, message, session);
        };
        // What is due after the pause comes first.
        if (this.#isPausing) this.#afterPause.push(answer);
        else answer();
        return;
      }
      const early = this.#early.get(part) ?? [];
      early.push({ message, done });
      this.#early.set(part, early);
      this.#goOn();
    });
  }

  /** The client has ended its side. Resolves when all that follows has been done: until then its session stays open. */
  ended(part: string): Promise<void> {
    this.#ended.add(part);
    return new Promise((done) => {
      this.#met.push(done);
      if (this.#options.lenient) this.#rest();
      else this.#goOn();
    });
  }

  /** Its part is over; the others go on without it. */
  left(part: string): void {
    this.#sessions.delete(part);
    for (const { done } of this.#early.get(part) ?? []) done();
    this.#early.delete(part);
    this.#gone.add(part);
    if (!this.#options.lenient) this.#goOn();
  }

  /** Plays until a client has to say something that it has not said yet. */
  #goOn(): void {
    this.#playOn();
    this.#rest();
  }

  #playOn(): void {
    const { steps } = this.#transcript;
    while (!this.#isPausing && this.#at < steps.length) {
      const step = steps[this.#at] as Step;
      const isOver = 'client' in step && this.#gone.has(step.client);
      if ('client' in step && !isOver && !this.#sessions.has(step.client)) return;
      if (!isOver && step.kind === 'close' && !this.#ended.has(step.client)) return;
      // That a client breaks off is seen when it has gone.
      if (!isOver && step.kind === 'reset') return;
      if (!isOver && step.kind === 'message' && step.side === '>') {
        const said = this.#early.get(step.client)?.shift();
        if (!said) return;
        this.#met.push(said.done);
        if (!matches(step.content, said.message.bytes, this.#captures)) return this.#refuse(step, said.message);
      } else if (!isOver) this.#perform(step);
      this.#at++;
    }
    if (this.#isPausing || this.#at < steps.length) return;
    for (const [part, [said]] of [...this.#early]) if (said) this.#refuse(part, said.message);
  }

  /** Nothing more will be done for the messages that were met. */
  #rest(): void {
    if (this.#isPausing) return;
    const met = this.#met;
    this.#met = [];
    for (const done of met) done();
  }

  /** Lenient: what follows the next line that this message is, from where the play stands, and around. */
  #answer(part: string, message: Message, session: Session): void {
    const { steps } = this.#transcript;
    for (let tries = 0; tries < steps.length; tries++) {
      const index = (this.#at + tries) % steps.length;
      const step = steps[index] as Step;
      const isIt = step.kind === 'message' && step.side === '>' && step.client === part;
      if (!isIt || !this.#matchesAgain(index, step.content, message.bytes)) continue;
      this.#at = index + 1;
      this.#performUntilNext();
      return this.#rest();
    }
    this.#rest();
    this.#options.unexpected?.(
      session,
      new YodelError('YODEL_UNEXPECTED_MESSAGE', `no line of ${this.#transcript.file} is ${shown(message)}`),
    );
  }

  #matchesAgain(index: number, content: Content, bytes: Uint8Array): boolean {
    const names = namesIn(content);
    const captures = new Map(this.#captures);
    for (const name of names) if (this.#namedBy.get(name) === index) captures.delete(name);
    if (!matches(content, bytes, captures)) return false;
    for (const name of names) {
      const value = captures.get(name);
      if (value) this.#captures.set(name, value);
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

  /** Does what is the server's to do. */
  #perform(step: Step): void {
    const session = 'client' in step ? this.#sessions.get(step.client) : undefined;
    if (step.kind === 'ending') this.#ending = step.ending;
    else if (step.kind === 'wait' || step.kind === 'silence') this.#pause(step.ms);
    else if (step.kind === 'closed') session?.close();
    else if (step.kind === 'message') this.#send(step, session);
  }

  #send({ content, line }: MessageStep, session: Session | undefined): void {
    if (!session) return;
    const bytes = bytesOf(content, this.#captures);
    if (!bytes) return this.#fail(session, line, 'a name in it stands for nothing');
    try {
      // Only lines can end in different ways; and what the session speaks may be another framing than the file's.
      const isLines = session.framing.name === 'lines' && !session.carriesMessages;
      const message = isLines ? messageOf(lines(), bytes, this.#ending) : bytes;
      if (message) session.send(message);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#fail(session, line, error.message);
    }
  }

  /** A line of the server cannot be sent: its client would wait for it in vain. */
  #fail(session: Session, line: number, why: string): void {
    const text = `${this.#transcript.file}:${line} cannot be sent: ${why}`;
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
        this.#rest();
        while (!this.#isPausing && this.#afterPause.length > 0) this.#afterPause.shift()?.();
      } else this.#goOn();
    }, ms);
  }

  /** The client has left its part: it is told, and the session ends. */
  #refuse(expected: MessageStep | string, message: Message): void {
    const part = typeof expected === 'string' ? expected : expected.client;
    const session = this.#sessions.get(part);
    if (!session) return;
    const { file, lines: text } = this.#transcript;
    const should =
      typeof expected === 'string'
        ? `${file} is at its end`
        : `${file}:${expected.line} has ${text[expected.line - 1]}`;
    const error = new YodelError('YODEL_UNEXPECTED_MESSAGE', `${should}, and not ${shown(message)}`);
    this.#options.unexpected?.(session, error);
    session.send(`error: ${error.message}`);
    session.close();
    this.left(part);
  }
}

/** As a line of a transcript. */
function shown(message: Message): string {
  const text = `>${formatContent(message.bytes)}`;
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
}
