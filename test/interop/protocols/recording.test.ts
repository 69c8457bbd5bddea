/**
 * Conversations of real clients and servers, recorded by `yodel serve proxy: --protocol`, through which the same bytes pass:
 * checked and replayed against the server, and served to the client.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { digest, relay } from '../../support/relay.ts';
import { ftp } from './servers/ftp.ts';
import { lsp } from './servers/lsp.ts';
import { memcached } from './servers/memcached.ts';
import { mllp } from './servers/mllp.ts';
import { modbus } from './servers/modbus.ts';
import { mosquitto } from './servers/mosquitto.ts';
import { mysql } from './servers/mysql.ts';
import { nsd } from './servers/nsd.ts';
import { pop3 } from './servers/pop3.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';
import type { ProtocolProgram } from './servers/server.ts';
import { smtp } from './servers/smtp.ts';

interface Case {
  readonly protocol: string;
  readonly program: ProtocolProgram;
  /** A line of a transcript. */
  readonly line: RegExp;
  /** A fresh server answers the same requests with the same replies, in the same order: no times, process ids or random numbers. */
  readonly isRepeatable: boolean;
  /** The client sends the same requests each time, on one connection, so that a transcript can answer it. */
  readonly isPlayable: boolean;
}

const cases: readonly Case[] = [
  {
    protocol: 'smtp',
    program: smtp,
    line: /^>\\ Subject: first\\r\\n\\r\\n\.a dot/m,
    isRepeatable: true,
    isPlayable: true,
  },
  {
    protocol: 'ftp',
    program: ftp,
    line: /^<\\ 211-Features supported:.*\\r\\n211 End FEAT\.$/m,
    isRepeatable: true,
    isPlayable: true,
  },
  {
    protocol: 'pop3',
    program: pop3,
    line: /^<\\ \+OK \d+ octets\\r\\n.*\\r\\n\.$/m,
    isRepeatable: true,
    isPlayable: true,
  },
  {
    protocol: 'memcached',
    program: memcached,
    line: /^<\\ VALUE k 0 13\\r\\nEND\\r\\nSTORED\\r\\n\\r\\nEND$/m,
    isRepeatable: true,
    isPlayable: true,
  },
  {
    protocol: 'lsp',
    program: lsp,
    line: /^<h\\ Content-Type: [^|]*\\r\\n \| \{.*"id":3,/m,
    isRepeatable: false,
    isPlayable: true,
  },
  { protocol: 'dns', program: nsd, line: /^>x .* 07 65 78 61 6d 70 6c 65 00 /m, isRepeatable: true, isPlayable: false },
  {
    protocol: 'modbus',
    program: modbus,
    line: /^>h .. .. 00 00 11 \|\\ \\x03\\0c\\0\\x03$/m,
    isRepeatable: true,
    isPlayable: false,
  },
  { protocol: 'redis', program: redis, line: /EVAL/, isRepeatable: false, isPlayable: true },
  { protocol: 'postgres', program: postgres, line: /^>h 51 \| ?.*nosuch/m, isRepeatable: false, isPlayable: true },
  { protocol: 'mllp', program: mllp, line: /^<\\ MSH.*\\rMSA\|AA\|C2\\r$/m, isRepeatable: false, isPlayable: true },
  { protocol: 'mysql', program: mysql, line: /^>h 00 \|.*drop database/m, isRepeatable: false, isPlayable: false },
  { protocol: 'mqtt', program: mosquitto, line: /^>h 32 \|.*hello/m, isRepeatable: false, isPlayable: false },
];

for (const { protocol, program, line, isRepeatable, isPlayable } of cases) {
  program.test(`${protocol}: a recorded conversation is checked, replayed and played`, async () => {
    const folder = temporaryFolder();
    const records = join(folder, 'records');
    const journal = join(folder, 'journal');
    const behind = await relay(await program.start(), { repliedPiece: 3 });
    const proxy = await serve([
      ...[`proxy:127.0.0.1:${behind.port}`, '--protocol', protocol, '--quiet'],
      ...['--record', records, '--journal', journal, '--journal-replies'],
    ]);
    const before = await relay(proxy.port, { sentPiece: 3 });
    const answer = await program.ask(before.port);
    expect(answer).toMatch(program.answer);
    await expect.poll(() => digest(behind.connections())).toEqual(digest(before.connections()));
    await proxy.stop();
    const files = readdirSync(records)
      .sort()
      .map((name) => join(records, name));
    const transcripts = files.map((file) => readFileSync(file, 'latin1'));
    expect(transcripts.join('')).toMatch(line);
    for (const transcript of transcripts) expect(transcript).toContain(`\n@protocol ${protocol}\n`);

    if (isRepeatable) {
      const check = await yodel(['check', ...files, `127.0.0.1:${await program.start()}`]);
      expect(check).toMatchObject({ status: 0, stderr: '' });
      expect(check.stdout.toString()).toMatch(/all as expected; (\d+) of \1 messages as expected\n$/);
      const replay = await yodel(['replay', journal, `127.0.0.1:${await program.start()}`, '--speed', 'max']);
      expect(replay.stdout.toString()).toMatch(/(\d+) of \1 replies as recorded/);
      expect(replay).toMatchObject({ status: 0 });
    }
    if (isPlayable) {
      const [file = ''] = files;
      const played = await serve([file, '--quiet']);
      expect(await program.ask(played.port)).toBe(answer);
    }
  });
}
