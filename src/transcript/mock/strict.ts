/**
 * Plays the server of a transcript line by line.
 *
 * | At                         | the play waits until                               | and then                                 |
 * |----------------------------|----------------------------------------------------|------------------------------------------|
 * | a connection's first line  | the client has connected                           | plays the line                           |
 * | `>` a client's line        | the client has sent something, or ended            | goes on; if it differs, it is lost       |
 * | `>?` an optional line      | the same, unless the server must send next         | goes on; without it, `<?` lines are left out |
 * | `>*` any                   |                                                    | ignores what fits no line, up to the next one |
 * | `<` the server's line      | a recorded time has passed, if times are played    | sends it                                 |
 * | `@unordered`               | the clients have sent their lines                  | goes on                                  |
 * | `@repeat` without a count  | the client has sent something, or ended            | plays a round if it fits the first line  |
 * | `@close`                   | the client has ended its side                      | goes on                                  |
 * | `@reset`                   | the connection is closed                           | goes on                                  |
 * | `@closed`                  |                                                    | ends its side of the connection          |
 * | `@wait`, `@silence`        | the time has passed                                | goes on                                  |
 * | the end                    |                                                    | whatever a client sends is a problem     |
 *
 * The lines of a client that is lost are skipped; the others go on.
 */
import type { Message } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';
import type { Session } from '../../session/public-session.ts';
import { unknownInMessage } from '../message-line.ts';
import type { MessageStep, StepOf } from '../transcript.ts';
import { changeValues, lineOf, Walk, type WalkedStep } from '../walk.ts';
import type { MockClient } from './client.ts';
import { ClientLines, type Progress } from './client-lines.ts';
import { addToStream, isStream } from './fit.ts';
import { Lookahead } from './lookahead.ts';
import { Loops } from './loops.ts';
import type { Play } from './play.ts';
import type { Stage } from './stage.ts';
import { type ClientStep, ConnectionStarts, isClientStep } from './starts.ts';
import { UnorderedLines } from './unordered-lines.ts';
import { type MockProblem, problemOf, shown } from './verdict.ts';

export class StrictPlay implements Play {
  readonly #stage: Stage;
  readonly #walk: Walk;
  readonly #ahead: Lookahead;
  readonly #lines: ClientLines;
  readonly #loops: Loops;
  readonly #starts = new ConnectionStarts();
  /** Whether the current step was given to `#starts`, by its steps: a block has several. */
  readonly #begun = new Set<ClientStep>();
  /** Connections whose first line is still to come. */
  readonly #waiting = new Map<string, Queue<MockClient>>();
  /** The current connection of each client. */
  readonly #clients = new Map<string, MockClient>();
  /** Connections that another one of the same client has followed. */
  readonly #former: MockClient[] = [];
  /** The lines of the current block. */
  #block: UnorderedLines[] | undefined;
  /** Recorded time to pass before the server's next line, in milliseconds. */
  #dueMs = 0;

  constructor(stage: Stage) {
    const { transcript } = stage;
    this.#stage = stage;
    this.#walk = new Walk(transcript.steps, { asks: true });
    this.#ahead = new Lookahead(transcript);
    this.#lines = new ClientLines(stage, this.#ahead);
    this.#loops = new Loops((name) => this.#clients.get(name) ?? this.#waiting.get(name)?.first);
  }

  get problems(): readonly MockProblem[] {
    return this.#stage.problems;
  }

  get isFinished(): boolean {
    const { step } = this.#walk;
    return !step || this.#ahead.isOptionalFrom(step);
  }

  joined(name: string, session: Session): MockClient {
    const client = this.#stage.join(name, session);
    const waiting = this.#waiting.get(name) ?? new Queue<MockClient>();
    this.#waiting.set(name, waiting);
    waiting.push(client);
    this.#continue();
    return client;
  }

  received(client: MockClient, message: Message): Promise<void> | undefined {
    if (client.isLost) return undefined;
    // Anyone may have put it there: it is not what the client says over TLS.
    if (client.handshake && !client.session.security) return this.#refuseInjected(client, message);
    if (isStream(client)) addToStream(client, message);
    else client.accept(message, this.#stage.isPausing);
    this.#continue();
    client.inbox.keep(message);
    const room = client.room();
    // What follows the request in plain text is not handled.
    return client.handshake ?? (this.#needsMore(client) ? undefined : room);
  }

  #refuseInjected(client: MockClient, message: Message): undefined {
    const { step } = this.#walk;
    const text = `in plain text, before the TLS handshake: ${shown(message)}`;
    this.#stage.report(client, { step, received: message, reason: text });
    client.isLost = true;
    client.session.abort();
    this.#continue();
  }

  ended(client: MockClient): Promise<void> {
    client.hasEnded = true;
    const settled = client.settled();
    this.#continue();
    return settled;
  }

  left(client: MockClient): void {
    this.#stage.left(client);
    this.#continue();
  }

  pending(): MockProblem | undefined {
    const { step } = this.#walk;
    if (!step || this.isFinished) return undefined;
    const { transcript } = this.#stage;
    const due = this.#ahead.nextDue(step);
    if (!due) return problemOf(transcript, { client: '', step, reason: `not played: ${lineOf(transcript, step)}` });
    const who = due.client || 'the client';
    const isHere = this.#clients.has(due.client) || this.#waiting.has(due.client);
    const line = lineOf(transcript, due);
    const reason = isHere ? `${who} has not come to: ${line}` : `${who} has not connected, and not come to: ${line}`;
    return problemOf(transcript, { client: due.client, step: due, reason });
  }

  stop(): void {
    this.#stage.stop();
  }

  /** Whether a line waits for the rest of what this client sends, of which only a chunk has arrived. */
  #needsMore(client: MockClient): boolean {
    const { step } = this.#walk;
    return isStream(client) && !this.#stage.isPausing && step?.kind === 'message' && step.client === client.name;
  }

  /** Plays until it has to wait for a client or a time. */
  #continue(): void {
    const stage = this.#stage;
    while (!stage.isPausing) {
      const { step } = this.#walk;
      if (!step || this.#play(step) === 'waits') break;
    }
    if (stage.isPausing) return;
    this.#refuseMore();
    const { step } = this.#walk;
    stage.settle((client) => !step || !this.#ahead.hasMore(client.name, step));
    const waitsFor = step?.kind === 'message' ? this.#clients.get(step.client) : undefined;
    if (waitsFor && this.#needsMore(waitsFor)) waitsFor.makeRoom(true);
  }

  #play(step: WalkedStep): Progress {
    if (step.kind === 'repeat') {
      const choice = this.#loops.choose(step, this.#lines.comparison);
      if (choice === 'waits') return 'waits';
      if (choice === 'enter') this.#walk.enter();
      else this.#walk.leave();
    } else {
      if (this.#perform(step) === 'waits') return 'waits';
      this.#walk.next();
    }
    this.#begun.clear();
    this.#block = undefined;
    return 'on';
  }

  #perform(step: Exclude<WalkedStep, StepOf<'repeat'>>): Progress {
    const stage = this.#stage;
    if (isClientStep(step)) return this.#performFor(step);
    switch (step.kind) {
      case 'ending':
        stage.ending = step.ending;
        return 'on';
      case 'expect-ending':
        this.#lines.ending = step.ending;
        return 'on';
      case 'pace':
        this.#dueMs += step.ms / (stage.options.pace ?? Number.POSITIVE_INFINITY);
        return 'on';
      case 'wait':
        this.#pause(step.ms);
        return 'on';
      case 'unordered':
        return this.#unordered(step);
      case 'timeout':
        return 'on';
      default:
        changeValues(step, stage.values);
        return 'on';
    }
  }

  /** The client's connection; undefined while it has not connected. */
  #clientOf(step: ClientStep): MockClient | undefined {
    const { client: name } = step;
    if (!this.#begun.has(step)) {
      this.#begun.add(step);
      if (this.#starts.begins(step)) this.#endConnection(name);
    }
    const client = this.#clients.get(name) ?? this.#waiting.get(name)?.shift();
    if (client) this.#clients.set(name, client);
    return client;
  }

  /** Another connection of a client follows. */
  #endConnection(name: string): void {
    const client = this.#clients.get(name);
    if (!client) return;
    client.isServed = true;
    this.#former.push(client);
    this.#clients.delete(name);
  }

  #performFor(step: ClientStep): Progress {
    const client = this.#clientOf(step);
    if (!client) return 'waits';
    switch (step.kind) {
      case 'connect':
        return 'on';
      case 'any':
        if (step.side === '>') client.mayBeAny = true;
        return 'on';
      case 'message':
        return step.side === '<' ? this.#reply(step, client) : this.#expect(step, client);
      case 'silence':
        this.#pause(step.ms);
        return 'on';
      case 'closed':
        if (this.#isDelayed()) return 'waits';
        // What the client still sends is compared.
        client.session.end();
        client.isServed = true;
        return 'on';
      case 'close':
        return this.#expect(step, client);
      case 'reset':
        return client.isGone || client.isLost ? 'on' : 'waits';
      case 'starttls':
        return this.#startTls(step, client);
    }
  }

  /** What the client has sent before in plain text must have been taken: anyone may have put it there. */
  #startTls(step: StepOf<'starttls'>, client: MockClient): Progress {
    if (client.isLost || client.isSecure) return 'on';
    // The end of the handshake is reported, also if it fails.
    if (client.handshake) return 'waits';
    const early = client.inbox.first;
    if (early) this.#refuseInjected(client, early);
    else if (client.isGone) this.#stage.missed(client, step, 'the client left before TLS');
    else this.#stage.secure(client, step, () => this.#continue());
    return client.isLost ? 'on' : 'waits';
  }

  #reply(step: MessageStep, client: MockClient): Progress {
    if (client.isLost) return 'on';
    if (step.isOptional && (client.isGone || client.isUnasked || !this.#isDetermined(step))) return 'on';
    if (this.#isDelayed()) return 'waits';
    if (!step.isOptional) client.isUnasked = false;
    this.#stage.send(step, client);
    return 'on';
  }

  /** Whether a recorded time must pass first. */
  #isDelayed(): boolean {
    const ms = Math.round(this.#dueMs);
    this.#dueMs = 0;
    return this.#pause(ms);
  }

  #isDetermined(step: MessageStep): boolean {
    const isPattern = step.content.kind === 'pattern' || step.header?.kind === 'pattern';
    return !isPattern && unknownInMessage(step, this.#stage.values).length === 0;
  }

  #expect(step: MessageStep | StepOf<'close'>, client: MockClient): Progress {
    // A client takes its own time.
    this.#dueMs = 0;
    return step.kind === 'close' ? this.#lines.expectEnd(step, client) : this.#lines.expect(step, client);
  }

  #unordered({ steps }: StepOf<'unordered'>): Progress {
    const clients = steps.map((step) => this.#clientOf(step));
    if (clients.includes(undefined)) return 'waits';
    const [first] = steps;
    if (first?.side === '<') {
      // Sent at once: nothing can come between them.
      if (this.#isDelayed()) return 'waits';
      for (const [index, step] of steps.entries()) this.#reply(step, clients[index] as MockClient);
      return 'on';
    }
    this.#dueMs = 0;
    this.#block ??= [...new Set(clients as MockClient[])].map(
      (client) =>
        new UnorderedLines(
          client,
          steps.filter((step) => step.client === client.name),
          this.#lines.comparison,
        ),
    );
    const progress = this.#block.map((lines) => this.#lines.expectUnordered(lines));
    return progress.includes('waits') ? 'waits' : 'on';
  }

  /** Returns whether there is anything to wait for. */
  #pause(ms: number): boolean {
    if (ms > 0) this.#stage.pause(ms, () => this.#continue());
    return ms > 0;
  }

  /** After the last line of a connection nothing is expected. */
  #refuseMore(): void {
    const over = this.#walk.step
      ? this.#former
      : [
          ...this.#former,
          ...this.#clients.values(),
          ...[...this.#waiting.values()].flatMap((queue) => queue.takeAll()),
        ];
    for (const client of over) {
      this.#lines.expectNothing(client, undefined);
      if (client.isServed) client.closeSoon();
    }
  }
}
