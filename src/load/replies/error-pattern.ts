import { type ErrorRules, isErrorReply, noErrors } from '../../framing/error-pattern.ts';
import type { Batch, Message } from '../../framing/message.ts';

/**
 * Recognises replies that report an error.
 *
 * To look at a message takes longer than everything else that a counted reply costs. So a batch is first searched for the
 * characters that such a reply must begin with, where the pattern says them: most batches have none.
 */
export class ErrorPattern {
  readonly #rules: ErrorRules;
  /** Whether bytes have none of the beginnings; undefined if those are not known. */
  readonly #hasNone: ((bytes: Buffer) => boolean) | undefined;

  constructor(rules: ErrorRules) {
    this.#rules = rules;
    const beginnings =
      rules.errorSubject === 'message' ? undefined : beginningsOf(rules.errorPattern ?? /^error:/)?.map(toBytes);
    if (beginnings) this.#hasNone = (bytes) => !beginnings.some((beginning) => bytes.includes(beginning));
  }

  /** The pattern of a protocol; undefined if no reply of it is an error. */
  static of(rules: ErrorRules): ErrorPattern | undefined {
    const { name, errorPattern } = rules;
    const hasErrors = errorPattern ? errorPattern.source !== noErrors.source : name === undefined;
    return hasErrors ? new ErrorPattern(rules) : undefined;
  }

  /** Whether a message of the batch may match. */
  mayBeIn(batch: Batch): boolean {
    return !this.#hasNone || !batch.hasPlainPayloads || !batch.passes(this.#hasNone);
  }

  /** Whether the message reports an error. */
  matches(message: Message): boolean {
    return isErrorReply(this.#rules, message);
  }
}

/**
 * The ASCII texts with one of which every match begins: `a` and `b` of `^[ab]`; undefined if the pattern does not say.
 */
export function beginningsOf({ source, flags }: RegExp): readonly string[] | undefined {
  const isOneAlternative = !withoutGroups(source).includes('|');
  if (/[imv]/.test(flags) || !isOneAlternative) return undefined;
  const group = /^\^\(\?:([\w |:-]+)\)(?![*?{])/.exec(source)?.[1];
  const set = /^\^\[([^\]\\^-]+|-[^\]\\^-]*)\](?![*?{])/.exec(source)?.[1];
  const text = /^\^([\w :-]+)/.exec(source)?.[1];
  const found = group?.split('|') ?? set?.split('') ?? (text === undefined ? undefined : [required(source, text)]);
  return found?.every((one) => one !== '') ? found : undefined;
}

/** The text at the beginning of a pattern, without its last character if that may be missing. */
function required(source: string, text: string): string {
  const next = source[text.length + 1];
  return next === '*' || next === '?' || next === '{' ? text.slice(0, -1) : text;
}

function withoutGroups(source: string): string {
  return source.replaceAll(/\\.|\[[^\]]*\]|\([^)]*\)/g, '');
}

function toBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
