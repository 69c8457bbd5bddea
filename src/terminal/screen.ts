/** What a terminal shows: lines that have been said, and below them the one that is being typed. */
import { type InputLine, layOut, type Rows } from './text.ts';

/** The line that is being typed, and whether its prompt is to catch the eye. */
export interface ShownLine extends InputLine {
  readonly paintPrompt: (text: string) => string;
}

/** Where it is shown: `process.stdout`, in life. */
export interface ScreenOutput {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string, taken: () => void): boolean;
}

/** Above this many characters that the terminal has not taken, whoever prints should wait. */
const highWaterMark = 1_048_576;
/** So many characters are gathered before they are written without waiting for the end of the turn. */
const flushAt = 262_144;

/**
 * Draws at the end of each turn of the event loop: what was printed meanwhile, and the typed line once, whatever happened to
 * it. The typed line is never scrolled over: it is wiped away, what is printed comes in its place, and it is drawn below.
 */
export class Screen {
  readonly #output: ScreenOutput;
  /** The line that is being typed; undefined when nothing can be typed. */
  readonly #line: () => ShownLine | undefined;
  readonly #isPlain: boolean;
  #gathered = '';
  /** The line as it stands on the screen, and the row of it that the cursor is in. */
  #drawn: ShownLine | undefined;
  #cursorRow = 0;
  #rowCount = 1;
  #flushDue = false;
  #untaken = 0;
  #whenTaken: (() => void)[] = [];

  /** @param isPlain whether the terminal has no cursor that could be moved, and shows itself what is typed */
  constructor(output: ScreenOutput, line: () => ShownLine | undefined, isPlain: boolean) {
    this.#output = output;
    this.#line = line;
    this.#isPlain = isPlain;
  }

  get columns(): number {
    return this.#output.columns || 80;
  }

  /** Prints a line, or several, above the one that is being typed. */
  print(text: string): void {
    this.#wipe();
    this.#gathered += `${text}\n`;
    if (this.#gathered.length > flushAt) this.#write();
    this.changed();
  }

  /** Has the typed line drawn again at the end of this turn. */
  changed(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(() => {
      if (this.#flushDue) this.flush();
    });
  }

  /** Draws what is due now. */
  flush(): void {
    this.#flushDue = false;
    this.#wipe();
    const line = this.#line();
    if (line) this.#draw(line);
    this.#write();
  }

  /** Begins with an empty screen. */
  clear(): void {
    if (this.#isPlain) return;
    this.#gathered += '\x1b[H\x1b[2J';
    this.#drawn = undefined;
    this.changed();
  }

  /** The terminal has another size: it has laid out anew what stood on it. */
  resized(): void {
    if (this.#drawn) this.#place(this.#inView(this.#layOut(this.#drawn)));
    this.changed();
  }

  /** What stood on the screen is not there any more, or not in its place: the line is drawn where the cursor is. */
  forget(): void {
    this.#drawn = undefined;
  }

  /** Whether the terminal is behind with what it was given: {@link taken} tells when it is not any more. */
  get isBehind(): boolean {
    return this.#untaken > highWaterMark;
  }

  /** Resolves when the terminal has caught up. */
  taken(): Promise<void> {
    return this.isBehind ? new Promise((resolve) => this.#whenTaken.push(resolve)) : Promise.resolve();
  }

  #layOut(line: ShownLine): Rows {
    return layOut(line, this.columns, line.paintPrompt);
  }

  /** Of a line that is taller than the screen, the rows down to the cursor: what has left the screen cannot be wiped away. */
  #inView({ rows, cursorRow, beforeCursor }: Rows): Rows {
    const most = Math.max(1, (this.#output.rows || 24) - 1);
    if (rows.length <= most) return { rows, cursorRow, beforeCursor };
    const top = Math.max(0, cursorRow - most + 1);
    return { rows: rows.slice(top, top + most), cursorRow: cursorRow - top, beforeCursor };
  }

  #draw(line: ShownLine): void {
    if (this.#isPlain) return;
    const view = this.#inView(this.#layOut(line));
    const { rows, cursorRow, beforeCursor } = view;
    const last = rows.length - 1;
    const text = rows.map((row, index) => row.text + (row.wraps || index === last ? '' : '\n')).join('');
    const toCursor =
      cursorRow === last && beforeCursor === rows[last]?.text ? '' : `${up(last - cursorRow)}\x1b[1G${beforeCursor}`;
    // Behind a full row the terminal moves on only when something follows.
    const moveOn = rows[last]?.text === '' && rows[last - 1]?.wraps ? '\n' : '';
    this.#gathered += text + moveOn + toCursor;
    this.#drawn = line;
    this.#place(view);
  }

  #place({ rows, cursorRow }: Rows): void {
    this.#cursorRow = cursorRow;
    this.#rowCount = rows.length;
  }

  #wipe(): void {
    // The first row on its own: tmux takes it for a new screen, and keeps the old one, when all from the top is erased.
    if (this.#drawn)
      this.#gathered += `${up(this.#cursorRow)}\x1b[1G\x1b[K${this.#rowCount > 1 ? '\x1b[B\x1b[J\x1b[A' : ''}`;
    this.#drawn = undefined;
  }

  #write(): void {
    const text = this.#gathered;
    if (text === '') return;
    this.#gathered = '';
    this.#untaken += text.length;
    this.#output.write(text, () => {
      this.#untaken -= text.length;
      if (this.isBehind) return;
      for (const resolve of this.#whenTaken.splice(0)) resolve();
    });
  }
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : '';
}
