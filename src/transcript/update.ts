import type { CheckResult, Difference } from './check.ts';
import { expectsSomething } from './expectations.ts';
import { literalLine, type Replacement, reworded } from './reword.ts';
import type { Step } from './transcript.ts';
import { Masks } from './update/masks.ts';
import { Values } from './values.ts';
import { stepsIn } from './walk.ts';

/** Options of {@link updateOf}. */
export interface UpdateOptions {
  /**
   * Replace what is different by names, with the recorded text as their default, and make lines optional that are only in the
   * file or only received. Default: replace it by what was received.
   */
  readonly mask?: boolean | undefined;
}

/** A difference that an update does not settle. */
export interface LeftDifference extends Difference {
  /** In words. */
  readonly why: string;
}

/** A transcript rewritten with what a server sent. */
export interface Update {
  readonly text: string;
  /** Differences that the text does not settle. */
  readonly left: readonly LeftDifference[];
  /** Whether the text is another one than before. */
  readonly isChanged: boolean;
}

/**
 * Rewrites a transcript with what the server sent, in the order in which it was seen:
 * - a line that matched stays as it is; so do lines that were not waited for
 * - a line with another message gets its text; names in it stay where their places can be found and have their values
 * - the line of a missing message is removed
 * - an unexpected message becomes a line after the one after which it came
 *
 * Some differences are left: something that is not about a message, lines of included files, lines of loops, which stand for
 * several messages, and what is missing where the server said nothing more at all.
 *
 * @param result of a check with `settleMs`, so that every message is found where it came
 */
export function updateOf(result: CheckResult, { mask = false }: UpdateOptions = {}): Update {
  return new Rewriting(result, mask).run();
}

/** The text of {@link updateOf}. */
export function updatedText(result: CheckResult): string {
  return updateOf(result).text;
}

/** What becomes of a line. */
interface Edit {
  readonly before: string[];
  /** The line itself; undefined: as it is. Empty: removed. */
  instead: string[] | undefined;
  readonly after: string[];
}

class Rewriting {
  readonly #result: CheckResult;
  readonly #mask: boolean;
  readonly #masks: Masks;
  readonly #edits = new Map<number, Edit>();
  readonly #left: LeftDifference[] = [];
  /** Lines that are played more than once. */
  readonly #loops = new Set<number>();
  readonly #steps = new Map<number, Step>();
  /** Lines to add at the end, after the client has ended its side. */
  readonly #end: string[] = [];

  constructor(result: CheckResult, mask: boolean) {
    this.#result = result;
    this.#mask = mask;
    this.#masks = new Masks(result.transcript);
    for (const step of stepsIn(result.transcript)) {
      if (step.file === undefined) this.#steps.set(step.line, step);
      if (step.kind === 'repeat') for (const inner of stepsIn(step)) this.#loops.add(inner.line);
    }
  }

  run(): Update {
    const { transcript, differences } = this.#result;
    for (const difference of differences) {
      const why = this.#rewrite(difference);
      if (why !== undefined) this.#left.push({ ...difference, why });
    }
    const old = transcript.lines;
    const lines = [...old.flatMap((line, index) => this.#edited(line, index + 1)), ...this.#end];
    const text = lines.map((line) => `${line}\n`).join('');
    const isChanged = lines.length !== old.length || lines.some((line, index) => line !== old[index]);
    // A file without any expectation would be green for the wrong reason.
    if (isChanged && expectsSomething(transcript) && !lines.some((line) => expectation.test(line)))
      return {
        text: old.map((line) => `${line}\n`).join(''),
        left: differences.map((difference) => ({ ...difference, why: 'without it the file would expect nothing' })),
        isChanged: false,
      };
    return { text, left: this.#left, isChanged };
  }

  #edited(line: string, number: number): string[] {
    const edit = this.#edits.get(number);
    return edit ? [...edit.before, ...(edit.instead ?? [line]), ...edit.after] : [line];
  }

  /** Returns why the text does not settle a difference, if it does not. */
  #rewrite(difference: Difference): string | undefined {
    const { kind, line, file, client, received, names, skipped, isAfterWildcard } = difference;
    if (kind === 'failed') return 'it is not about a message';
    if (skipped) return 'it was not waited for';
    if (file !== undefined) return 'it is in an included file';
    if (this.#loops.has(line)) return 'it is in a loop, where a line stands for several messages';
    if (isAfterWildcard) return 'a wildcard may have taken its message';
    if (kind === 'unexpected') return this.#insert(difference);
    if (kind === 'missing') return this.#remove(difference);
    const step = this.#steps.get(line);
    if (!received || step?.kind !== 'message') return 'it is not a message';
    const text = reworded(step, received, this.#replacement, {
      needsWord: this.#mask,
      values: new Values({}, names),
    });
    // A mask for all of a line would accept any message.
    if (text === undefined && this.#mask)
      return 'its message has nothing in common with it, or a name stands for something else in it';
    this.#at(line).instead = [`${client}<${step.isOptional ? '?' : ''}${text ?? literalLine(received)}`];
    return undefined;
  }

  readonly #replacement: Replacement = (recorded, received) =>
    this.#mask ? this.#masks.maskFor(recorded, received) : received;

  #insert({ line, client, received, isBefore, isAfterEnd }: Difference): string | undefined {
    if (!received) return 'it is not a message';
    const text = `${client}<${this.#mask ? '?' : ''}${literalLine(received)}`;
    if (isAfterEnd) {
      const close = `@close${client === '' ? '' : ` ${client}`}`;
      if (!this.#end.includes(close)) this.#end.push(close);
      this.#end.push(text);
      return undefined;
    }
    // A message that arrived instead of the expected end or silence precedes that line.
    const kind = this.#steps.get(line)?.kind;
    const { before, after } = this.#at(line);
    (isBefore || kind === 'closed' || kind === 'silence' ? before : after).push(text);
    return undefined;
  }

  #remove(difference: Difference): string | undefined {
    const { line, client, expected = '' } = difference;
    // The server may be late or gone: the next run would remove more.
    if (difference.isLast && this.#result.differences.some((other) => other.client === client && other.skipped))
      return 'the server may be late or gone';
    this.#at(line).instead = this.#mask ? [expected.replace('<', '<?')] : [];
    return undefined;
  }

  #at(line: number): Edit {
    const known = this.#edits.get(line);
    if (known) return known;
    const edit: Edit = { before: [], instead: undefined, after: [] };
    this.#edits.set(line, edit);
    return edit;
  }
}

/** A line that expects something of the server. */
const expectation = /^(?:[A-Za-z][\w-]*)?<(?![*?])|^@(?:closed|silence|include)\b/;
