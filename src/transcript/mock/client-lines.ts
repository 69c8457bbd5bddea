/** What a mock does with the messages of a client: compares them with its lines, and refuses what fits none. */
import type { Message } from '../../framing/message.ts';
import type { Ending, MessageStep, StepOf } from '../transcript.ts';
import { lineOf } from '../walk.ts';
import type { MockClient } from './client.ts';
import { type Comparison, differenceFrom, firstOf, take } from './fit.ts';
import type { Lookahead } from './lookahead.ts';
import type { Stage } from './stage.ts';
import type { UnorderedLines } from './unordered-lines.ts';

/** Whether the play goes on, or waits for a client or a time at the current step. */
export type Progress = 'on' | 'waits';

/** The lines of clients. */
export class ClientLines {
  /** How messages must end, from the last `@expect-ending`. */
  ending: Ending;
  readonly #stage: Stage;
  readonly #ahead: Lookahead;

  constructor(stage: Stage, ahead: Lookahead) {
    this.#stage = stage;
    this.#ahead = ahead;
  }

  get comparison(): Comparison {
    return { values: this.#stage.values, ending: this.ending };
  }

  /** `>` and `>?`. */
  expect(step: MessageStep, client: MockClient): Progress {
    if (client.isLost) return 'on';
    if (step.isOptional) return this.#expectOptional(step, client);
    for (;;) {
      if (client.inbox.length === 0) return this.#lacks(step, client);
      if (this.#takeOptional(client)) continue;
      const fit = take(step, client, this.comparison);
      if (fit === 'met') return 'on';
      if (fit === 'more' && !client.hasEnded && !client.isGone) return 'waits';
      if (this.#ignore(client)) continue;
      this.#refuse(step, client, firstOf(client) as Message);
      return 'on';
    }
  }

  /** `@close`. */
  expectEnd(step: StepOf<'close'>, client: MockClient): Progress {
    this.expectNothing(client, step);
    return client.isLost || client.hasEnded || client.isGone ? 'on' : 'waits';
  }

  /** Refuses whatever the client has sent and need not have sent. @param step that comes instead; undefined: the end */
  expectNothing(client: MockClient, step: StepOf<'close'> | undefined): void {
    while (!client.isLost && client.inbox.length > 0) {
      if (this.#takeOptional(client) || this.#ignore(client)) continue;
      this.#stage.refuse(client, step, firstOf(client) as Message);
    }
  }

  /** `@unordered`. */
  expectUnordered(lines: UnorderedLines): Progress {
    const { client } = lines;
    for (;;) {
      const { missing } = lines;
      if (client.isLost) return 'on';
      if (!missing) break;
      const message = firstOf(client);
      if (!message) return this.#lacks(missing, client);
      if (lines.add(message)) {
        client.inbox.shift();
        client.answered = message;
      } else if (!this.#takeOptional(client) && !this.#ignore(client)) this.#refuse(missing, client, message);
    }
    lines.capture(this.comparison);
    client.optional = lines.absent;
    client.mayBeAny = false;
    client.isUnasked = false;
    return 'on';
  }

  #refuse(step: MessageStep, client: MockClient, message: Message): void {
    const { values } = this.#stage;
    const difference = differenceFrom(step, message, { ...this.comparison, values: values.fork() });
    const isPlain = difference === undefined || difference === 'a different message';
    this.#stage.refuse(client, step, message, isPlain ? undefined : difference.replace('a different message: ', ''));
  }

  /** A required line has not come. */
  #lacks(step: MessageStep | StepOf<'close'>, client: MockClient): Progress {
    if (!client.hasEnded && !client.isGone) return 'waits';
    const how = client.hasEnded ? 'ended its side' : 'left';
    this.#stage.missed(
      client,
      step,
      `${client.name || 'the client'} ${how} without: ${lineOf(this.#stage.transcript, step)}`,
    );
    return 'on';
  }

  #expectOptional(step: MessageStep, client: MockClient): Progress {
    const fit = take(step, client, this.comparison);
    if (fit === 'met') return 'on';
    const mayFollow = fit === 'more' || (fit === undefined && this.#ahead.waitsAt(step));
    if (mayFollow && !client.hasEnded && !client.isGone) return 'waits';
    client.optional.push(step);
    client.isUnasked = true;
    return 'on';
  }

  /** Takes the client's next message if it is an optional line that was passed. Returns whether it was. */
  #takeOptional(client: MockClient): boolean {
    const { optional, mayBeAny } = client;
    const index = optional.findIndex((one) => take(one, client, this.comparison) === 'met');
    if (index === -1) return false;
    client.optional = optional.slice(index + 1);
    client.mayBeAny = mayBeAny;
    return true;
  }

  /** Takes the client's next message if anything may come. Returns whether it may. */
  #ignore(client: MockClient): boolean {
    if (!client.mayBeAny) return false;
    client.answered = client.inbox.shift();
    return true;
  }
}
