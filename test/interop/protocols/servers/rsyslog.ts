import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryFile, temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

/** How rsyslogd delimits what it forwards: by a count, by LF, or by NUL. */
export type SyslogFraming = 'octet-counted' | 'LF' | 'NUL';

/**
 * Starts rsyslogd. It writes what it receives into `file`, one line for each message.
 * @param forward where it also sends each message
 * @param written the folder of `file`, by default a new one
 */
export async function startRsyslog(
  forward?: { readonly port: number; readonly framing: SyslogFraming },
  written?: string,
): Promise<{ readonly port: number; readonly file: string }> {
  const folder = temporaryFolder();
  const file = join(written ?? folder, 'messages');
  const { port } = await startServer((free) => {
    const framing = forward?.framing === 'octet-counted' ? 'octet-counted' : 'traditional';
    const delimiter = forward?.framing === 'NUL' ? 'TCP_FrameDelimiter="0"' : '';
    const action = `action(type="omfwd" target="127.0.0.1" port="${forward?.port}" protocol="tcp" TCP_Framing="${framing}" ${delimiter} template="plain")`;
    const configuration = `global(workDirectory="${folder}")
module(load="imtcp")
input(type="imtcp" port="${free}" address="127.0.0.1")
template(name="plain" type="string" string="<%PRI%>1 - - %APP-NAME% - - - %msg%")
template(name="line" type="string" string="%APP-NAME%: %msg%\\n")
action(type="omfile" file="${file}" template="line" fileCreateMode="0644")
${forward ? action : ''}
`;
    return ['/usr/sbin/rsyslogd', '-n', '-f', temporaryFile('rsyslog.conf', configuration), '-i', join(folder, 'pid')];
  });
  return { port, file };
}

/** Resolves with the lines of the file, sorted, as soon as there are `count` of them: connections are not read in their order. */
export async function untilWritten(file: string, count: number): Promise<string[]> {
  for (;;) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    if (lines.length >= count) return lines.sort();
    await delay(10);
  }
}

/** Runs logger, which sends each line as a message, on one connection: in lines, or counted with `--octet-count`. */
export async function log(port: number, lines: string, ...flags: string[]): Promise<string> {
  return await printed(
    ['logger', '--tcp', '-n', '127.0.0.1', '-P', String(port), '-t', 'app', '--rfc5424', ...flags],
    lines,
  );
}

const files = new Map<number, string>();

/** rsyslogd, and logger of util-linux. */
export const rsyslog: ProtocolProgram & {
  /** What the server at this port has written, sorted, as soon as it is `count` lines. */
  written(port: number, count: number): Promise<string[]>;
} = {
  name: 'rsyslogd and logger',
  test: testWith(['/usr/sbin/rsyslogd', 'logger'], 'apt-get install rsyslog bsdutils'),
  async start() {
    const { port, file } = await startRsyslog();
    files.set(port, file);
    return port;
  },
  async ask(port) {
    const counted = await log(port, 'first, grüße\nsecond\n', '--octet-count');
    return counted + (await log(port, 'by line\n'));
  },
  answer: /^$/,
  written: (port, count) => untilWritten(files.get(port) ?? '', count),
};
