/** A request: one line of a client, or several one after another, whose replies follow. */
export interface ScriptRequest {
  readonly line: number;
  readonly file: string | undefined;
  /** The line as written. */
  readonly text: string;
}

/** A transcript as plain data, for other processes. */
export interface ScriptText {
  readonly file: string;
  readonly lines: readonly string[];
  /** The lines of the files that it includes, by their paths. */
  readonly included: Readonly<Record<string, readonly string[]>>;
  /** Values of names. */
  readonly variables: Readonly<Record<string, string>>;
  /** The modules of `@use`: absolute paths. */
  readonly modules: readonly string[];
  /** What is measured, in the order of the file. */
  readonly requests: readonly ScriptRequest[];
  /** Whether the framings of the settings replace those of the transcript. */
  readonly hasWire: boolean;
}
