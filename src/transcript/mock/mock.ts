import { TcpAddress } from '../../address.ts';
import { checkShapes, shapesOf } from '../../option-shapes.ts';
import { type HandlerCallbacks, takesMessages } from '../../session/handler.ts';
import type { Session, SessionServer } from '../../session/public-session.ts';
import { checkTranscript, refuseUnplayable } from '../playable.ts';
import { type Step, type Transcript, TranscriptError } from '../transcript.ts';
import { Values } from '../values.ts';
import { lineOf, stepsIn } from '../walk.ts';
import type { LeftBehind } from './inbox.ts';
import type { MockOptions } from './options.ts';
import { Run } from './run.ts';
import { givenAddress, isEncrypted, isSecondConnect, nameAddress } from './second-address.ts';
import type { MockProblem, MockVerdict } from './verdict.ts';

/** A handler that plays a server, and says whether its clients did as the transcript says. */
export interface MockServer extends HandlerCallbacks {
  /** It takes messages one by one. */
  readonly batch?: undefined;
  /** What is known so far. */
  verdict(): MockVerdict;
  /**
   * Resolves when the first run is over: when all of its clients are gone, or after the last line when they have been silent for a
   * second. It does not resolve while a client is missing.
   */
  readonly done: Promise<MockVerdict>;
  /**
   * Waits for nothing any more: call it when the server shuts down. Otherwise a client that has ended its side keeps its session
   * while the transcript waits for another one. The server itself calls it with an argument when all sessions are over, which
   * changes nothing.
   */
  stop(server?: SessionServer): void;
}

/**
 * A handler that plays the server of a transcript, for testing clients. It plays the transcript from the start for each session.
 * With several clients, sessions take the clients' parts in the order in which they connect. The session after the last
 * part starts a new run of the transcript.
 *
 *     const mock = transcript.mockServer(parsed);
 *     const server = await serve({ listen: 0, handler: mock });
 *     await clientUnderTest(server.addresses[0]);
 *     expect((await mock.done).problems).toEqual([]);
 *
 * @throws TranscriptError when a line cannot be played: a server cannot send a pattern, or a name that no client's line captures
 */
export function mockServer(transcript: Transcript, options: MockOptions = {}): MockServer {
  checkTranscript(transcript, 'mockServer()');
  checkShapes(options, known, 'mockServer()');
  refuseUnplayable(transcript, '<');
  checkSecondAddresses(transcript);
  const [secured] = stepsOverTls(transcript);
  if (secured && !options.tls) refuse(transcript, secured, 'a server needs a certificate for this: the option tls');
  const runs = new Runs(transcript, options);
  return {
    ...takesMessages('mockServer()'),
    ...(secured && { startsTls: true }),
    // A transcript has pauses, and a client may wait for another one.
    limitsItself: true,
    sequential: true,
    open: (session) => runs.join(session),
    message: (message, session) => runs.of(session)?.received(session, message),
    end: (session) => runs.of(session)?.ended(session),
    close: (session) => runs.of(session)?.left(session),
    verdict: () => runs.verdict(),
    done: runs.done,
    stop(server) {
      // The mock may be the handler of another server, too.
      if (!server) runs.stop();
    },
  };
}

const known = {
  ...shapesOf(['lenient', 'once'], 'boolean'),
  pace: 'number',
  tls: 'object',
  unexpected: 'function',
} as const;

/** Whether a mock of a transcript needs the option `tls`: for `@starttls`, or a second address over TLS. */
export function needsCertificate(transcript: Transcript): boolean {
  return stepsOverTls(transcript).length > 0;
}

function stepsOverTls(transcript: Transcript): Step[] {
  const isSecond = (step: Step) => step.kind === 'connect' && isSecondConnect(step) && isEncrypted(step);
  return [...stepsIn(transcript)].filter((step) => step.kind === 'starttls' || isSecond(step));
}

/** @throws TranscriptError if a mock could not say where it listens */
function checkSecondAddresses(transcript: Transcript): void {
  for (const step of stepsIn(transcript)) {
    if (step.kind !== 'connect' || !isSecondConnect(step)) continue;
    const values = new Values(transcript);
    if (!givenAddress(step, values)) nameAddress(transcript, step, new TcpAddress('127.0.0.1', 1), values);
  }
}

/** @throws TranscriptError */
function refuse(transcript: Transcript, step: Step, problem: string): never {
  throw new TranscriptError(step.file ?? transcript.file, step.line, 1, problem, lineOf(transcript, step));
}

/** The most problems that a verdict lists. */
const maxProblems = 1000;

/** All runs of a mock. */
class Runs {
  readonly #transcript: Transcript;
  readonly #options: MockOptions;
  readonly #bySession = new WeakMap<Session, Run>();
  /** Runs that are not over, in the order in which they began. */
  readonly #open = new Set<Run>();
  readonly #left: LeftBehind = { bytes: 0 };
  #begun = 0;
  #completed = 0;
  /** Problems of runs that are over. */
  readonly #problems: MockProblem[] = [];
  readonly #done = Promise.withResolvers<MockVerdict>();

  constructor(transcript: Transcript, options: MockOptions) {
    this.#transcript = transcript;
    this.#options = options;
  }

  get done(): Promise<MockVerdict> {
    return this.#done.promise;
  }

  of(session: Session): Run | undefined {
    return this.#bySession.get(session);
  }

  join(session: Session): Promise<void> | undefined {
    const last = [...this.#open].at(-1);
    const run = last?.takesMore ? last : this.#begin();
    if (!run) {
      this.#addProblem(`${this.#transcript.file}: expected no more clients, and one has connected`);
      session.close();
      return undefined;
    }
    this.#bySession.set(session, run);
    return run.join(session);
  }

  stop(): void {
    for (const run of this.#open) run.release();
  }

  verdict(): MockVerdict {
    const { file } = this.#transcript;
    const problems = [...this.#problems];
    let completedRuns = this.#completed;
    for (const { play, hasReceived } of this.#open) {
      // A connection that was only opened is no run yet.
      if (!hasReceived && !play.isFinished && completedRuns > 0) continue;
      const pending = play.problems.length > 0 ? undefined : play.pending();
      problems.push(...play.problems, ...(pending ? [pending] : []));
      if (play.isFinished && play.problems.length === 0) completedRuns++;
    }
    if (this.#begun === 0) problems.push(problem(file, `${file}: no client has connected`));
    return { isCompleted: completedRuns > 0 && problems.length === 0, completedRuns, problems };
  }

  #begin(): Run | undefined {
    if (this.#options.once && this.#begun > 0) return undefined;
    this.#begun++;
    const run = new Run(this.#transcript, this.#options, this.#left, {
      over: (one) => this.#end(one),
      late: (problems) => {
        for (const one of problems) this.#add(one);
      },
    });
    this.#open.add(run);
    return run;
  }

  #end(run: Run): void {
    const { play } = run;
    this.#open.delete(run);
    const pending = play.problems.length > 0 ? undefined : play.pending();
    for (const one of [...play.problems, ...(pending ? [pending] : [])]) this.#add(one);
    if (play.isFinished && play.problems.length === 0) this.#completed++;
    this.#done.resolve(this.verdict());
  }

  #addProblem(message: string): void {
    this.#add(problem(this.#transcript.file, message));
  }

  #add(one: MockProblem): void {
    if (this.#problems.length < maxProblems) this.#problems.push(one);
  }
}

/** A problem that belongs to no line. */
function problem(file: string, message: string): MockProblem {
  return { file, line: undefined, client: '', expected: undefined, received: undefined, message };
}
