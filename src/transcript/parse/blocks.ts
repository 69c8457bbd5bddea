/** `@repeat … @end` and `@unordered … @end`. */
import type { MessageStep, Step, StepOf } from '../transcript.ts';
import type { DirectiveLine, Source } from './source.ts';

/** A block that has no `@end` yet. */
type Open =
  | { readonly block: StepOf<'repeat'>; readonly steps: Step[]; readonly source: Source }
  | { readonly block: StepOf<'unordered'>; readonly steps: MessageStep[]; readonly source: Source };

const repeatForm = '@repeat takes a number of rounds and a name, both may be missing: @repeat 10 i';

/** Puts steps into the blocks around them. */
export class Blocks {
  /** The steps outside of blocks. */
  readonly steps: Step[] = [];
  readonly #open: Open[] = [];

  /** Whether the innermost block is `@unordered`. */
  get isUnordered(): boolean {
    return this.#open.at(-1)?.block.kind === 'unordered';
  }

  /** Adds a step to the innermost block. */
  add(source: Source, step: Step): void {
    const inner = this.#open.at(-1);
    if (!inner) this.steps.push(step);
    else if (inner.block.kind === 'repeat') (inner.steps as Step[]).push(step);
    else if (step.kind === 'message') this.#addUnordered(source, inner.steps as MessageStep[], step);
    else source.refuse(0, 'between @unordered and @end there are only messages; end the block before this line');
  }

  /** The messages of a block belong to one side: those of the other would have to wait for them. */
  #addUnordered(source: Source, steps: MessageStep[], step: MessageStep): void {
    const [first] = steps;
    if (first && first.side !== step.side)
      source.refuse(
        0,
        `the messages between @unordered and @end are all from one side; the first one is ${first.side}`,
      );
    steps.push(step);
  }

  beginRepeat(line: DirectiveLine): void {
    const words = [...line.words];
    const counted = words[0] && /^\d+$/.test(words[0].text) ? words.shift() : undefined;
    const count = counted && Number(counted.text);
    if (counted && (count === 0 || !Number.isSafeInteger(count))) line.refuse(counted.at, repeatForm);
    const name = words.shift();
    if (name && !/^[A-Za-z_]\w*$/.test(name.text)) line.refuse(name.at, repeatForm);
    line.expectOnly((counted ? 1 : 0) + (name ? 1 : 0));
    const steps: Step[] = [];
    const block = { kind: 'repeat', count, name: name?.text, steps } as const;
    this.#begin(line.source, { block: { ...line.source.place, ...block }, steps, source: line.source });
  }

  beginUnordered(line: DirectiveLine): void {
    line.expectOnly(0);
    const steps: MessageStep[] = [];
    const block = { ...line.source.place, kind: 'unordered', steps } as const;
    this.#begin(line.source, { block, steps, source: line.source });
  }

  #begin(source: Source, open: Open): void {
    if (this.isUnordered)
      source.refuse(0, 'between @unordered and @end there are only messages; end the block before this line');
    this.#open.push(open);
  }

  end(line: DirectiveLine): void {
    line.expectOnly(0);
    const open = this.#open.at(-1);
    if (open?.source !== line.source) line.refuse(0, '@end without @repeat or @unordered before it');
    if (open.steps.length === 0)
      line.refuse(0, `there is nothing between @${open.block.kind} in line ${open.block.line} and this @end`);
    this.#open.pop();
    this.add(line.source, open.block);
  }

  /** Refuses a block of this file that has no end. */
  expectNone(source: Source): void {
    const open = this.#open.at(-1);
    if (open?.source === source) source.refuse(0, `@${open.block.kind} has no @end`, open.block.line);
  }
}
