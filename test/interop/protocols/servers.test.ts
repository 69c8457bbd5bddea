/** The servers and clients that the tests of protocols use: each client talks to its own server, without yodel. */
import { expect } from 'vitest';
import { ftp } from './servers/ftp.ts';
import { lsp } from './servers/lsp.ts';
import { memcached } from './servers/memcached.ts';
import { mllp } from './servers/mllp.ts';
import { modbus } from './servers/modbus.ts';
import { mosquitto } from './servers/mosquitto.ts';
import { mysql } from './servers/mysql.ts';
import { nats } from './servers/nats.ts';
import { ngircd } from './servers/ngircd.ts';
import { nsd } from './servers/nsd.ts';
import { pop3 } from './servers/pop3.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';
import { rsyslog, startRsyslog, untilWritten } from './servers/rsyslog.ts';
import { smtp } from './servers/smtp.ts';

const all = [ftp, lsp, memcached, mllp, modbus, mosquitto, mysql, nats, ngircd, nsd, pop3, postgres, redis, smtp];

for (const { name, test, start, ask, answer } of all) {
  test(`${name}: the client gets its answers`, async () => expect(await ask(await start())).toMatch(answer));
}

rsyslog.test('rsyslogd writes what logger sends, and forwards it to another rsyslogd in each framing', async () => {
  for (const framing of ['octet-counted', 'LF', 'NUL'] as const) {
    const last = await startRsyslog();
    const first = await startRsyslog({ port: last.port, framing });
    expect(await rsyslog.ask(first.port)).toMatch(rsyslog.answer);
    const written = ['app: by line', 'app: first, grüße', 'app: second'];
    expect(await untilWritten(first.file, 3)).toEqual(written);
    // By default imtcp does not take NUL for a delimiter.
    if (framing !== 'NUL') expect(await untilWritten(last.file, 3)).toEqual(written);
  }
});
