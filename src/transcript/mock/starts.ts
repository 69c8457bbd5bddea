/** Where the connections of a transcript's clients begin. */
import type { StepOf, Transcript } from '../transcript.ts';
import { type WalkedStep, walked } from '../walk.ts';

/** A step that belongs to a client. */
export type ClientStep = Extract<WalkedStep, { readonly client: string }>;

/** Whether a step belongs to a client. */
export function isClientStep(step: WalkedStep): step is ClientStep {
  return 'client' in step;
}

/** Which sides of a client's connection have ended. */
interface Ends {
  client: boolean;
  server: boolean;
}

/** Finds the steps with which a connection begins: the first of a client, and the first after its last one has ended. */
export class ConnectionStarts {
  readonly #ends = new Map<string, Ends>();

  /** Whether a connection begins with this step. Each step must be given, in the order in which they are played. */
  begins(step: ClientStep): boolean {
    const ends = this.#ends.get(step.client);
    const isNew = !ends || beginsAnother(step, ends);
    const now = isNew ? { client: false, server: false } : ends;
    this.#ends.set(step.client, now);
    if (step.kind === 'close' || step.kind === 'reset') now.client = true;
    if (step.kind === 'closed' || step.kind === 'reset') now.server = true;
    return isNew;
  }
}

/** A client that has ended its side sends nothing on this connection, and neither does a server. */
function beginsAnother(step: ClientStep, ends: Ends): boolean {
  if (step.kind === 'connect') return ends.client || ends.server;
  if (step.kind === 'message' || step.kind === 'any') return step.side === '>' ? ends.client : ends.server;
  return ends.client && ends.server;
}

/** A connection of a client: to the server of the transcript, or to another address. */
export interface Connection {
  readonly client: string;
  /** Of another address. */
  readonly step: StepOf<'connect'> | undefined;
}

/** More connections than this are not counted: a loop may have any number of rounds. */
const maxConnections = 10_000;

/** The connections of a transcript, in the order in which they begin. */
export function connectionsIn({ steps }: Transcript): Connection[] {
  const starts = new ConnectionStarts();
  const found: Connection[] = [];
  for (const step of walked(steps)) {
    const parts = step.kind === 'unordered' ? step.steps : isClientStep(step) ? [step] : [];
    for (const part of parts) {
      if (!starts.begins(part)) continue;
      const isElsewhere = part.kind === 'connect' && part.address !== undefined;
      found.push({ client: part.client, step: isElsewhere ? part : undefined });
    }
    if (found.length >= maxConnections) break;
  }
  return found;
}
