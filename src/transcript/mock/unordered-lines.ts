/** The lines of clients between `@unordered` and `@end`, and which of them have come. */
import type { Message } from '../../framing/message.ts';
import type { MessageStep } from '../transcript.ts';
import { UnorderedMatching } from '../unordered.ts';
import type { MockClient } from './client.ts';
import { type Comparison, differenceFrom } from './fit.ts';

/** The lines of one client. */
export class UnorderedLines {
  readonly client: MockClient;
  readonly #steps: readonly MessageStep[];
  readonly #messages: Message[] = [];
  readonly #matching: UnorderedMatching<MessageStep, Message>;

  constructor(client: MockClient, steps: readonly MessageStep[], comparison: Comparison) {
    this.client = client;
    this.#steps = steps;
    // Names get their values when the block is complete.
    const test = (step: MessageStep, message: Message) =>
      differenceFrom(step, message, { ...comparison, values: comparison.values.fork() }) === undefined;
    const items = steps.map((item) => ({ item, isOptional: item.isOptional }));
    this.#matching = new UnorderedMatching(items, test);
  }

  /** The first required line that has not come. */
  get missing(): MessageStep | undefined {
    return this.#steps.find((step, index) => !step.isOptional && this.#matching.messageOf(index) === undefined);
  }

  /** The optional lines that have not come. */
  get absent(): MessageStep[] {
    return this.#steps.filter((step, index) => step.isOptional && this.#matching.messageOf(index) === undefined);
  }

  /** Adds a message. Returns whether it belongs to a line. */
  add(message: Message): boolean {
    this.#messages.push(message);
    return this.#matching.add(message);
  }

  /** Gives names their values. */
  capture(comparison: Comparison): void {
    for (const [index, step] of this.#steps.entries()) {
      const message = this.#messages[this.#matching.messageOf(index) ?? -1];
      if (message) differenceFrom(step, message, comparison);
    }
  }
}
