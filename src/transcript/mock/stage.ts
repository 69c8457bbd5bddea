/** What every way to play a server has: its clients, the values of names, and what can be done to a client. */
import { YodelError } from '../../errors.ts';
import { Message } from '../../framing/message.ts';
import type { Session } from '../../session/public-session.ts';
import { applicableEnding } from '../ending.ts';
import { frameOf } from '../frames.ts';
import { partsOf } from '../message-line.ts';
import type { Ending, MessageStep, Place, Transcript } from '../transcript.ts';
import { Values } from '../values.ts';
import { MockClient } from './client.ts';
import type { LeftBehind } from './inbox.ts';
import type { MockOptions } from './options.ts';
import { type MockProblem, type ProblemDetails, problemError, problemOf } from './verdict.ts';

/** The most problems of a run: a client may cause one with each message. */
const maxProblems = 1000;

/** The clients of one run of a transcript. */
export class Stage {
  readonly transcript: Transcript;
  readonly options: MockOptions;
  readonly values: Values;
  readonly problems: MockProblem[] = [];
  /** How sent messages end, from the last `@ending`. */
  ending: Ending;
  /** Whether the play waits for a time to pass. */
  isPausing = false;
  /** All connections so far. */
  readonly #all: MockClient[] = [];
  readonly #progressed: () => void;
  readonly #left: LeftBehind;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param left what clients of all runs leave behind
   * @param progressed called after everything that could be played was played
   */
  constructor(transcript: Transcript, options: MockOptions, left: LeftBehind, progressed: () => void) {
    this.#left = left;
    this.transcript = transcript;
    this.options = options;
    this.#progressed = progressed;
    this.values = new Values(transcript);
  }

  /** A client has connected. */
  join(name: string, session: Session): MockClient {
    const client = new MockClient(name, session, this.#left);
    this.#all.push(client);
    return client;
  }

  /** A client's session is closed. What it has sent is still compared, as far as that may wait. */
  left(client: MockClient): void {
    client.isGone = true;
    if (!client.inbox.leave()) {
      this.missed(client, undefined, 'the client left, and what it had sent was too much to keep');
    }
    client.settle();
  }

  /** Lets sessions end whose clients have ended. @param isServed whether a client gets nothing more */
  settle(isServed: (client: MockClient) => boolean): void {
    for (const client of this.#all) {
      client.makeRoom();
      if (client.isLost || (client.isDone && (client.isServed || isServed(client)))) client.settle();
    }
    this.#progressed();
  }

  /** Whether the connections so far are closed, and nothing of them is left to report. */
  get areAllGone(): boolean {
    return this.#all.every(({ isGone, handshake }) => isGone && !handshake);
  }

  /** Pauses the play. @param then called after the pause */
  pause(ms: number, then: () => void): void {
    if (ms === 0) return;
    this.isPausing = true;
    this.#timer = setTimeout(() => {
      this.isPausing = false;
      then();
    }, ms);
  }

  /** Stops the play. */
  stop(): void {
    clearTimeout(this.#timer);
    for (const client of this.#all) {
      client.inbox.takeAll();
      client.settle();
    }
  }

  /** Sends a line. */
  send(step: MessageStep, client: MockClient): void {
    const { session } = client;
    if (client.isGone) return this.missed(client, step, 'the client left before this line was sent');
    try {
      const parts = partsOf(step, this.values);
      if (!parts) return this.fail(client, step, 'a name in it has no value');
      const { payload, header, kind } = parts;
      // Also where the session's framing is not the transcript's.
      const ending = applicableEnding(session.replyFraming, this.ending);
      if (ending) {
        session.write(frameOf(session.replyFraming, { ...parts, ending }), 1);
        return;
      }
      // Without a header, a reply gets that of the message it answers. Without a mark, it is text, if it can be.
      const answered = header || session.framing.name === 'websocket' ? undefined : client.answered;
      const message = header || kind ? Message.of(payload, { header, kind }) : payload;
      const sent = session.send(message, answered);
      if (sent instanceof YodelError) this.fail(client, step, sent.message);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.fail(client, step, error.message);
    }
  }

  /** Goes on over TLS. @param then called when the handshake is complete, or has failed */
  secure(client: MockClient, step: Place, then: () => void): void {
    const { tls } = this.options;
    if (!tls || client.handshake) return;
    const { session } = client;
    const completed = session.startTls(tls).then(
      () => {
        client.isSecure = true;
      },
      (error: Error) => {
        this.missed(client, step, `no TLS: ${error.message}`);
        session.abort();
      },
    );
    client.handshake = completed.then(() => {
      client.handshake = undefined;
      then();
    });
  }

  /** A line cannot be sent. Closes the session, because its client would wait for the line in vain. */
  fail(client: MockClient, step: Place, reason: string): void {
    this.report(client, { step, reason: `cannot be sent: ${reason}` });
    client.isLost = true;
    client.session.close();
  }

  /** A line was not played because its client is gone. The others go on without it. */
  missed(client: MockClient, step: Place | undefined, reason: string): void {
    if (!client.isLost) this.report(client, { step, reason });
    client.isLost = true;
  }

  /** The client deviated: sends it an error and closes its session. @param step undefined: nothing more was expected */
  refuse(client: MockClient, step: Place | undefined, received: Message, detail?: string): void {
    const problem = this.report(client, { step, received, detail });
    client.isLost = true;
    client.inbox.takeAll();
    if (client.isGone) return;
    client.session.send(`error: ${problem.message}`);
    client.session.close();
  }

  /** Adds to the problems. */
  report(client: MockClient, details: Omit<ProblemDetails, 'client'>): MockProblem {
    const problem = problemOf(this.transcript, { client: client.name, ...details });
    if (this.problems.length < maxProblems) this.problems.push(problem);
    this.options.unexpected?.(client.session, problemError(problem));
    return problem;
  }
}
