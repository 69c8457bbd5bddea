/**
 * Ends the process groups of a process that is gone, also if it was killed and could do nothing itself: a shell that reads
 * the groups' ids from a pipe, until the pipe ends.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/**
 * Reads `+ GROUP` and `- GROUP`. At the end it sends SIGTERM to the groups that are left, and SIGKILL a second later. It ignores
 * signals that a terminal sends to all of its processes, and is no child of this process: only handlers' programs are.
 */
const program = `
trap '' INT HUP TERM
{
  left=' '
  while read -r what group; do
    case $what in
      +) left="$left$group " ;;
      -) case $left in *" $group "*) left="\${left%% $group *} \${left#* $group }" ;; esac ;;
    esac
  done
  alive=
  for group in $left; do kill -s TERM -- "-$group" 2>/dev/null && alive=1; done
  [ -z "$alive" ] || sleep 1
  for group in $left; do kill -s KILL -- "-$group" 2>/dev/null; done
} <&3 3<&- &
`;

/** Started with the first group. It ends after this process, without being waited for. */
export class Reaper {
  #orders: Writable | undefined;

  constructor() {
    try {
      const shell = spawn('/bin/sh', ['-c', program], {
        // Not its stdin, which Node closes when the shell has started the rest in the background.
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
        detached: true,
        cwd: '/',
        env: { PATH: process.env.PATH },
      });
      // Without a shell, or when it was killed, groups outlive a killed process.
      shell.on('error', () => undefined).unref();
      const orders = shell.stdio[3] as Socket;
      orders.on('error', () => undefined).unref();
      this.#orders = orders;
    } catch {
      // No memory or descriptors for it.
    }
  }

  /** A group was started. */
  add(leader: number): void {
    this.#write(`+ ${leader}\n`);
  }

  /** A group has ended: its id may be another's from now on. */
  remove(leader: number): void {
    this.#write(`- ${leader}\n`);
  }

  #write(line: string): void {
    if (this.#orders?.writable) this.#orders.write(line);
  }
}
