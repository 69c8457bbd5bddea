/** The clients of a transcript. */
import type { Step } from '../transcript.ts';
import type { DirectiveLine, Source, Word } from './source.ts';

const clientName = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** Keeps which clients there are, and which of them are connected at the current line. */
export class Clients {
  /** In the order in which they first appear. A client without a name is ''. */
  readonly names: string[] = [];
  /** Those of a second connection: `@connect NAME ADDRESS`. */
  readonly #second = new Set<string>();
  readonly #connected = new Set<string>();

  /** The client that a directive names; '' if it names none. */
  read({ source }: DirectiveLine, word: Word | undefined): string {
    const name = word?.text ?? '';
    if (word && !clientName.test(name)) {
      source.refuse(
        word.at,
        `"${name}" is not a client name; it takes letters, digits, _ and -, and starts with a letter`,
      );
    }
    this.add(source, name, word?.at ?? 0);
    return name;
  }

  /** A single client needs no name. With several, every line needs one. Second connections do not count. */
  add(source: Source, name: string, at: number): void {
    if (this.names.includes(name)) return;
    const first = this.names.find((known) => !this.#second.has(known));
    if (first !== undefined && (first === '') !== (name === '')) {
      source.refuse(
        at,
        name === ''
          ? `with several clients every line needs a name, such as ${first}>`
          : `earlier lines have no name, but this one belongs to ${name}: name all clients, or none`,
      );
    }
    this.names.push(name);
  }

  /** A client that `@connect NAME ADDRESS` connects to another server. */
  addSecond(line: DirectiveLine, word: Word): string {
    if (this.names.includes(word.text) && !this.#second.has(word.text))
      line.refuse(word.at, `${word.text} belongs to the server of this transcript; choose another name`);
    if (!clientName.test(word.text)) return this.read(line, word);
    this.#second.add(word.text);
    if (!this.names.includes(word.text)) this.names.push(word.text);
    return word.text;
  }

  isConnected(client: string): boolean {
    return this.#connected.has(client);
  }

  /** Notes a step: whether its client is connected after it. */
  note(step: Step): void {
    if (!('client' in step)) return;
    const isOver = step.kind === 'close' || step.kind === 'closed' || step.kind === 'reset';
    if (isOver) this.#connected.delete(step.client);
    else this.#connected.add(step.client);
  }
}
