/**
 * Plays the server of a transcript to clients that keep to no order: each message is answered with the lines that follow the
 * next line that it matches, searched from the last one on, and from the beginning after the end. Blocks are played as if
 * their lines stood alone, and optional lines are lines.
 */
import type { Message } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';
import type { Session } from '../../session/public-session.ts';
import { namesInMessage, unknownInMessage } from '../message-line.ts';
import type { MessageStep, Step } from '../transcript.ts';
import { changeValues, lineOf, stepsIn } from '../walk.ts';
import type { MockClient } from './client.ts';
import { type Comparison, differenceFrom } from './fit.ts';
import type { Play } from './play.ts';
import type { Stage } from './stage.ts';
import { type MockProblem, problemOf, shown } from './verdict.ts';

export class LenientPlay implements Play {
  readonly #stage: Stage;
  readonly #steps: readonly Step[];
  readonly #clients = new Map<string, MockClient>();
  /** Lines of clients that have come. */
  readonly #met = new Set<MessageStep>();
  /** The line that gave each name its value. If that line matches again, it replaces the value. */
  readonly #namedBy = new Map<string, MessageStep>();
  /** The clients of messages received during a pause, answered after it: the lines after the pause are sent first. */
  readonly #afterPause = new Queue<MockClient>();
  #at = 0;
  #ending: Comparison['ending'];

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#steps = [...stepsIn(stage.transcript)].filter(({ kind }) => kind !== 'repeat' && kind !== 'unordered');
  }

  get problems(): readonly MockProblem[] {
    return this.#stage.problems;
  }

  get isFinished(): boolean {
    return this.#firstMissing === undefined;
  }

  joined(name: string, session: Session): MockClient {
    const client = this.#stage.join(name, session);
    this.#clients.set(name, client);
    if (this.#at === 0) this.#performUntilNext();
    else this.#greet(client);
    return client;
  }

  /** The server's lines before all lines of clients are greetings. */
  #greet(client: MockClient): void {
    for (const step of this.#steps) {
      if (step.kind !== 'message') continue;
      if (step.side === '>') return;
      if (step.client === client.name) this.#perform(step);
    }
  }

  received(client: MockClient, message: Message): Promise<void> | undefined {
    if (!this.#stage.isPausing) return void this.#answer(client, message);
    client.accept(message, true);
    this.#afterPause.push(client);
    return client.room();
  }

  ended(client: MockClient): Promise<void> {
    client.hasEnded = true;
    const settled = client.settled();
    this.#settle();
    return settled;
  }

  left(client: MockClient): void {
    this.#stage.left(client);
    this.#settle();
  }

  pending(): MockProblem | undefined {
    const step = this.#firstMissing;
    if (!step) return undefined;
    const { transcript } = this.#stage;
    const reason = `never received: ${lineOf(transcript, step)}`;
    return problemOf(transcript, { client: step.client, step, reason });
  }

  stop(): void {
    this.#stage.stop();
  }

  get #firstMissing(): MessageStep | undefined {
    const isMissing = (step: Step): step is MessageStep =>
      step.kind === 'message' && step.side === '>' && !step.isOptional && !this.#met.has(step);
    return this.#steps.find(isMissing);
  }

  #answer(client: MockClient, message: Message): void {
    for (let tries = 0; tries < this.#steps.length; tries++) {
      const index = (this.#at + tries) % this.#steps.length;
      const step = this.#steps[index] as Step;
      if (step.kind !== 'message' || step.side !== '>' || step.client !== client.name) continue;
      if (!this.#matchesAgain(step, message)) continue;
      client.answered = message;
      this.#met.add(step);
      this.#at = index + 1;
      this.#performUntilNext();
      return this.#settle();
    }
    this.#settle();
    const { file } = this.#stage.transcript;
    this.#stage.report(client, {
      step: undefined,
      received: message,
      reason: `no line of ${file} matches ${shown(message)}`,
    });
  }

  #matchesAgain(step: MessageStep, message: Message): boolean {
    const names = namesInMessage(step);
    const values = this.#stage.values.fork();
    for (const name of names) if (this.#namedBy.get(name) === step) values.delete(name);
    if (differenceFrom(step, message, { values, ending: this.#ending }) !== undefined) return false;
    this.#stage.values.adopt(values);
    for (const name of names) if (!this.#namedBy.has(name)) this.#namedBy.set(name, step);
    return true;
  }

  /** Plays the steps up to the next line of a client. */
  #performUntilNext(): void {
    while (!this.#stage.isPausing && this.#at < this.#steps.length) {
      const step = this.#steps[this.#at] as Step;
      if (step.kind === 'message' && step.side === '>') return;
      this.#at++;
      this.#perform(step);
    }
  }

  /** Plays a step of the server. */
  #perform(step: Step): void {
    const stage = this.#stage;
    const client = 'client' in step ? this.#clients.get(step.client) : undefined;
    if (step.kind === 'ending') stage.ending = step.ending;
    else if (step.kind === 'expect-ending') this.#ending = step.ending;
    else if (step.kind === 'wait' || step.kind === 'silence') stage.pause(step.ms, () => this.#afterPaused());
    else if (step.kind === 'closed') client?.session.close();
    else if (step.kind === 'message') {
      if (client && !client.isGone && !(step.isOptional && !this.#isDetermined(step))) stage.send(step, client);
    } else changeValues(step, stage.values);
  }

  #isDetermined(step: MessageStep): boolean {
    const isPattern = step.content.kind === 'pattern' || step.header?.kind === 'pattern';
    return !isPattern && unknownInMessage(step, this.#stage.values).length === 0;
  }

  #afterPaused(): void {
    this.#performUntilNext();
    this.#settle();
    while (!this.#stage.isPausing && this.#afterPause.length > 0) {
      const client = this.#afterPause.shift() as MockClient;
      const message = client.inbox.shift();
      if (message) this.#answer(client, message);
    }
  }

  #settle(): void {
    if (!this.#stage.isPausing) this.#stage.settle(() => true);
  }
}
