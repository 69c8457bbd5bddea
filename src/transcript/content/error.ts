/** A syntax error at an index of the text. The caller knows the line and turns it into a TranscriptError. */
export class ContentError extends Error {
  readonly at: number;

  constructor(at: number, problem: string) {
    super(problem);
    this.at = at;
  }
}

/** Parses the text from an offset. @throws ContentError with the index in the whole text */
export function within<Result>(text: string, offset: number, parse: (text: string) => Result): Result {
  try {
    return parse(text.slice(offset));
  } catch (error) {
    if (error instanceof ContentError) throw new ContentError(offset + error.at, error.message);
    throw error;
  }
}
