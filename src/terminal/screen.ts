/** What a terminal shows: printed lines, and below them the line that is being typed. */
import { type InputLine, layOut, layOutText, type Rows } from './text.ts';
import type { Writer } from './writer.ts';

/** The line that is being typed, and how its prompt is coloured. */
export interface ShownLine extends InputLine {
  readonly paintPrompt: (text: string) => string;
  /** A line above it that is not finished: it is erased with the typed line, and replaced by what is printed next. */
  readonly above?: UnfinishedLine | undefined;
}

/** A line whose text will still change. */
export interface UnfinishedLine {
  readonly prompt: string;
  readonly text: string;
  readonly paintPrompt: (text: string) => string;
}

/** The present size of a terminal; undefined where it is unknown. */
export interface ScreenSize {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** While more bytes than this are pending, callers should wait before they print more. */
const highWaterMark = 1_048_576;
/** Above this many characters, printed text is written without waiting for the end of the turn. */
const flushAt = 262_144;

/**
 * Draws once at the end of each turn of the event loop: everything that was printed, then the typed line. The typed line
 * never scrolls away: it is erased, the printed text takes its place, and it is drawn again below.
 */
export class Screen {
  readonly #output: Writer;
  readonly #size: ScreenSize;
  readonly #line: () => ShownLine | undefined;
  readonly #isPlain: boolean;
  /** Text and control sequences to be written. */
  #text = '';
  /** The typed line as drawn on the screen, with the cursor's row and the number of rows. */
  #drawn: ShownLine | undefined;
  #cursorRow = 0;
  #rowCount = 1;
  /** The size of the terminal when it was drawn. */
  #drawnColumns = 0;
  #drawnRows = 0;
  #flushDue = false;

  /**
   * @param line gives the line that is being typed; undefined when nothing can be typed
   * @param isPlain whether the terminal has no movable cursor, and echoes what is typed
   */
  constructor(output: Writer, size: ScreenSize, line: () => ShownLine | undefined, isPlain: boolean) {
    this.#output = output;
    this.#size = size;
    this.#line = line;
    this.#isPlain = isPlain;
  }

  get columns(): number {
    return this.#size.columns || 80;
  }

  get #rows(): number {
    return this.#size.rows || 24;
  }

  /** Prints one or more lines above the typed line. */
  print(text: string): void {
    this.#erase();
    this.#text += `${text}\n`;
    if (this.#text.length > flushAt) this.#write();
    this.changed();
  }

  /** Schedules drawing at the end of this turn. */
  changed(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    setImmediate(() => {
      if (this.#flushDue) this.flush();
    });
  }

  /** Draws now. */
  flush(): void {
    this.#flushDue = false;
    this.#erase();
    const line = this.#line();
    if (line) this.#draw(line);
    this.#write();
  }

  /** Clears the screen. */
  clear(): void {
    if (this.#isPlain) return;
    this.#text += '\x1b[H\x1b[2J';
    this.#drawn = undefined;
    this.changed();
  }

  /** Forgets where the typed line was drawn: the next one is drawn at the cursor. */
  forget(): void {
    this.#drawn = undefined;
  }

  /** Whether the terminal is slow, and printing should wait for {@link caughtUp}. */
  get isBehind(): boolean {
    return this.#output.pending > highWaterMark;
  }

  /** Resolves when the terminal has caught up, or is gone. */
  caughtUp(): Promise<void> {
    return this.#output.below(highWaterMark);
  }

  #layOut(line: ShownLine): Rows {
    const typed = layOut(line, this.columns, line.paintPrompt);
    const { above } = line;
    if (!above) return typed;
    const rows = layOutText(above, this.columns, above.paintPrompt);
    return { ...typed, rows: [...rows, ...typed.rows], cursorRow: rows.length + typed.cursorRow };
  }

  /** The rows that fit on the screen, down to the cursor: rows that scrolled away cannot be erased. */
  #inView({ rows, cursorRow, beforeCursor }: Rows): Rows {
    const most = Math.max(1, this.#rows - 1);
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
    // After a full row a terminal moves to the next one only when something follows.
    const toNextRow = rows[last]?.text === '' && rows[last - 1]?.wraps ? '\n' : '';
    this.#text += text + toNextRow + toCursor;
    this.#drawn = line;
    this.#drawnColumns = this.columns;
    this.#drawnRows = this.#rows;
    this.#place(view);
  }

  #place({ rows, cursorRow }: Rows): void {
    this.#cursorRow = cursorRow;
    this.#rowCount = rows.length;
  }

  #erase(): void {
    const isResized = this.columns !== this.#drawnColumns || this.#rows !== this.#drawnRows;
    // A resized terminal has reflowed what it shows.
    if (this.#drawn && isResized) this.#place(this.#inView(this.#layOut(this.#drawn)));
    // The first row is erased separately: if everything from the top is erased at once, tmux takes it for a new screen
    // and keeps the old one in its history.
    if (this.#drawn)
      this.#text += `${up(this.#cursorRow)}\x1b[1G\x1b[K${this.#rowCount > 1 ? '\x1b[B\x1b[J\x1b[A' : ''}`;
    this.#drawn = undefined;
  }

  #write(): void {
    this.#output.write(this.#text);
    this.#text = '';
  }
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : '';
}
