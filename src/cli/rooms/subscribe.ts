/** Runs `yodel subscribe`. */
import { formatCountOf } from '../../format/figures.ts';
import type { Framing } from '../../framing/framing.ts';
import type { RoomEvent, Subscription } from '../../members/subscribing.ts';
import { placeOf } from '../../rooms/stored/position.ts';
import { exitStatus, report, statusOf } from '../fail.ts';
import { type Interruption, onInterruption } from '../interruption.ts';
import { StreamedOutput } from '../journal/streamed-output.ts';
import { readWire } from '../wire.ts';
import type { SubscribeFlags } from './flags.ts';
import { formatFrame, formatJson, formatLine, type MessageEvent } from './format.ts';
import { leave, notify, type OpenedRooms, openRoomsOf } from './open.ts';

/** Ends the process. */
export async function subscribe(room: string, flags: SubscribeFlags): Promise<void> {
  const interruption = onInterruption();
  let opened: OpenedRooms | undefined;
  let status: number;
  try {
    if (flags.since !== undefined) placeOf(flags.since);
    const { framing } = (await readWire({ framing: flags.framing })).protocol;
    let isLost = false;
    const { stopped } = interruption;
    opened = await openRoomsOf('subscribe', room, flags, () => {
      if (!flags.busRequired) return;
      isLost = true;
      stopped.abort();
    });
    const printed = await new Printer(opened, room, flags, framing, interruption).run();
    status = isLost ? exitStatus.failure : printed;
  } catch (error) {
    report(error);
    status = statusOf(error);
  }
  await leave(opened?.rooms, interruption.status ?? status);
}

class Printer {
  readonly #room: string;
  readonly #flags: SubscribeFlags;
  readonly #framing: Framing;
  readonly #interruption: Interruption;
  readonly #output: StreamedOutput;
  readonly #subscription: Subscription;
  #printed = 0;
  #status: number | undefined;
  #hasUnframed = false;

  constructor(
    { rooms }: OpenedRooms,
    room: string,
    flags: SubscribeFlags,
    framing: Framing,
    interruption: Interruption,
  ) {
    this.#room = room;
    this.#flags = flags;
    this.#framing = framing;
    this.#interruption = interruption;
    this.#output = new StreamedOutput(interruption.stopped);
    const { since, history } = flags;
    this.#subscription = rooms.room(room).subscribe({ since, history, signal: interruption.stopped.signal });
  }

  /** Resolves with the exit status. */
  async run(): Promise<number> {
    void this.#announce();
    try {
      for await (const event of this.#subscription) {
        await this.#take(event);
        if (this.#status !== undefined) break;
      }
    } catch (error) {
      report(error);
      this.#status = statusOf(error);
    }
    await this.#output.end();
    if (this.#output.status !== undefined) return this.#output.status;
    this.#sayPosition();
    return this.#interruption.status ?? this.#status ?? exitStatus.good;
  }

  async #announce(): Promise<void> {
    if (!this.#flags.verbose && !process.stderr.isTTY) return;
    await this.#subscription.begun.then(
      () => notify(`subscribed to ${this.#name}`),
      () => undefined,
    );
  }

  async #take(event: RoomEvent): Promise<void> {
    const { count, since, strict } = this.#flags;
    if (event.message) {
      await this.#output.write(this.#format(event));
      if (++this.#printed === count) this.#status = exitStatus.good;
      return;
    }
    if (event.missed !== undefined) notify(`missed ${formatCountOf(event.missed, 'message')} of ${this.#name}`);
    else if (event.recovered || since === undefined) return;
    else notify(`${this.#name} does not have everything after --since ${since} any more`);
    if (strict) this.#status = exitStatus.timeout;
  }

  #format(event: MessageEvent): string | Uint8Array {
    const { json, positions } = this.#flags;
    if (json) return formatJson(this.#room, event);
    const line = process.stdout.isTTY ? formatLine(event) : formatFrame(event, this.#framing, () => this.#warn());
    if (!positions) return line;
    return Buffer.concat([Buffer.from(`${event.position ?? '-'}\t`), Buffer.from(line as Uint8Array)]);
  }

  #warn(): void {
    if (!this.#hasUnframed)
      notify(`the framing "${this.#framing.name}" cannot express a message; to see where each one ends, use --json`);
    this.#hasUnframed = true;
  }

  #sayPosition(): void {
    const { position } = this.#subscription;
    if (position !== undefined && !this.#flags.quiet) notify(`to go on from here: --since ${position}`);
  }

  get #name(): string {
    return `room ${JSON.stringify(this.#room)}`;
  }
}
