/** The subjects at a broker on which nodes publish. */

/** Everything else in the name of a room would have a meaning in NATS, or is hard to read in a monitor. */
const special = /[^A-Za-z0-9_-]/gu;

/** The subjects below a prefix. */
export class Subjects {
  /** Where nodes tell each other about themselves. */
  readonly nodes: string;
  /** What every subject begins with. */
  readonly prefix: string;
  readonly #rooms: string;
  readonly #node: string;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.nodes = `${prefix}.nodes`;
    this.#rooms = `${prefix}.room.`;
    this.#node = `${prefix}.node.`;
  }

  /** Where others tell one node what concerns only that. */
  ofNode(node: string): string {
    return this.#node + node;
  }

  /** Where the messages of a room are published: `a b` is `yodel.room.a=20b`. */
  ofRoom(room: string): string {
    return this.#rooms + escapedName(room);
  }

  /** The end of a subject: a room without characters that have a meaning. */
  nameOf(room: string): string {
    return escapedName(room);
  }

  /** What begins everything that belongs to histories: a key of Redis, or a subject of NATS. A room follows. */
  get store(): string {
    return `${this.prefix}.store.`;
  }

  /** Where a broker keeps the history of a room. */
  ofHistory(room: string): string {
    return this.store + escapedName(room);
  }

  /** NATS: the subjects of all histories, and where a message of each is passed on; see {@link ofRoom}. */
  get histories(): string {
    return `${this.store}*`;
  }

  get republished(): string {
    return `${this.#rooms}{{wildcard(1)}}`;
  }

  /** NATS: where nodes ask each other for their turn to append to a room. */
  get turns(): string {
    return `${this.prefix}.turns`;
  }
}

function escapedName(room: string): string {
  return room.replace(special, escaped);
}

function escaped(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '=$&');
}
