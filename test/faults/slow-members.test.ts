/** Half of a room's members read nothing: the others receive everything, and the memory is that of one ring. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { start } from '../support/process/command.ts';

const program = new URL('./crowd-program.ts', import.meta.url).pathname;
const flags = process.versions.bun === undefined ? ['--expose-gc'] : [];
const mebibyte = 1_048_576;
const messages = 200_000;
/** Half of the ring: members that read are never further behind. */
const atOnce = 5_000;

interface Report {
  readonly sent: number;
  readonly members: number;
  readonly resident: number;
  readonly pendingBytes: number;
  readonly missed: number;
  readonly told: Readonly<Record<string, number>>;
}

/** A member that checks each line that it receives: the next one, or how many were missed before the next one. */
class Member {
  readonly socket: Socket;
  id = '';
  next = 0;
  missed = 0;
  #rest = '';
  #wrong: string | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1').on('data', (text: string) => this.#read(this.#rest + text));
    onTestFinished(() => void this.socket.destroy());
  }

  /** Resolves when it knows of so many messages. */
  async knows(count: number): Promise<void> {
    while (this.next < count && !this.#wrong) await once(this.socket, 'data');
    expect(this.#wrong).toBeUndefined();
  }

  #read(text: string): void {
    const lines = text.split('\n');
    this.#rest = lines.pop() as string;
    for (const line of lines) this.#take(line);
  }

  #take(line: string): void {
    const [word, number] = line.split(' ');
    if (word === 'you') this.id = number as string;
    else if (word === 'missed') {
      this.missed += Number(number);
      this.next += Number(number);
    } else if (line === String(this.next).padStart(99, '.')) this.next++;
    else this.#wrong ??= `${line} instead of ${this.next}`;
  }
}

test('members that read nothing cost the others nothing, and learn exactly what they missed', async () => {
  const running = start([process.execPath, ...flags, program]);
  await running.saw(/address/);
  const port = Number(/:(\d+)"/.exec(running.stdout())?.[1]);
  let reports = 0;
  /** Sends the room as many messages. */
  const send = async (count: number): Promise<Report> => {
    running.process.stdin?.write(`${count}\n`);
    const [line] = await running.saw(new RegExp(`{"report":${++reports},.*}`));
    return JSON.parse(line);
  };
  const members = Array.from({ length: 40 }, () => new Member(port));
  await Promise.all(members.map((member) => once(member.socket, 'data')));
  const before = await send(0);
  expect(before.members).toBe(40);
  const [slow, fast] = [members.slice(0, 20), members.slice(20)];
  for (const { socket } of slow) socket.pause();
  let after = before;
  for (let sent = atOnce; sent <= messages; sent += atOnce) {
    after = await send(atOnce);
    await Promise.all(fast.map((member) => member.knows(sent)));
  }
  expect(fast.every(({ missed }) => missed === 0)).toBe(true);
  // Twice the ring, and a segment for each that is behind; and what the runtime keeps.
  expect(after.pendingBytes).toBeLessThan(2 * mebibyte + 20 * 65_536);
  expect(after.resident - before.resident).toBeLessThan(2 * mebibyte + 20 * 65_536 + 48 * mebibyte);
  for (const { socket } of slow) socket.resume();
  await Promise.all(slow.map((member) => member.knows(messages)));
  const last = await send(0);
  for (const { id, missed } of slow) expect(last.told[id] ?? 0, id).toBe(missed);
  expect(slow.every(({ missed }) => missed > messages / 4)).toBe(true);
  expect(last.missed).toBe(slow.reduce((total, { missed }) => total + missed, 0));
  expect(last.pendingBytes).toBe(0);
});
