import type { HandlerObject, Session } from '../../session/handler.ts';
import { refuseUnplayable } from '../playable.ts';
import { type Transcript, TranscriptError } from '../transcript.ts';
import { lineOf, stepsIn } from '../walk.ts';
import type { MockOptions } from './options.ts';
import { Run } from './run.ts';
import type { MockProblem, MockVerdict } from './verdict.ts';

/** A handler that plays a server, and says whether its clients did as the transcript says. */
export interface MockServer extends HandlerObject {
  /** What is known so far. */
  verdict(): MockVerdict;
  /**
   * Resolves when the first run is over: when all of its clients are gone, or after the last line when they have been silent for a
   * second. It does not resolve while a client is missing.
   */
  readonly done: Promise<MockVerdict>;
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
  refuseUnplayable(transcript, '<');
  refuseStartTls(transcript);
  const runs = new Runs(transcript, options);
  return {
    open: (session) => runs.join(session),
    message: (message, session) => runs.of(session)?.received(session, message),
    end: (session) => runs.of(session)?.ended(session),
    close: (session) => runs.of(session)?.left(session),
    verdict: () => runs.verdict(),
    done: runs.done,
  };
}

/** @throws TranscriptError */
function refuseStartTls(transcript: Transcript): void {
  for (const step of stepsIn(transcript)) {
    if (step.kind !== 'starttls') continue;
    const text = lineOf(transcript, step);
    throw new TranscriptError(step.file ?? transcript.file, step.line, 1, 'a mock cannot play this yet', text);
  }
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
    const run = new Run(this.#transcript, this.#options, {
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
