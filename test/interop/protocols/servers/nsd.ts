import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../../support/files.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

const zone = `$ORIGIN example.
$TTL 3600
@ IN SOA ns.example. admin.example. 1 3600 600 86400 300
@ IN NS ns.example.
ns IN A 127.0.0.1
www IN A 192.0.2.10
www IN AAAA 2001:db8::10
@ IN MX 10 mail.example.
@ IN TXT "${'a long text. '.repeat(15)}"
`;

function configuration(folder: string, port: number): string {
  return `server:
  ip-address: 127.0.0.1@${port}
  username: ""
  zonesdir: ${folder}
  database: ""
  pidfile: ${folder}/pid
  xfrdfile: ${folder}/xfrd
  xfrdir: ${folder}
  zonelistfile: ${folder}/zonelist
remote-control:
  control-enable: no
zone:
  name: example
  zonefile: example.zone
  provide-xfr: 127.0.0.1 NOKEY
`;
}

/** The name server nsd, and dig over TCP. */
export const nsd: ProtocolProgram = {
  name: 'nsd and dig',
  test: testWith(['/usr/sbin/nsd', 'dig'], 'apt-get install nsd bind9-dnsutils'),
  async start() {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'example.zone'), zone);
    const { port } = await startServer(
      (free) => {
        const file = join(folder, 'nsd.conf');
        writeFileSync(file, configuration(folder, free));
        return ['/usr/sbin/nsd', '-d', '-c', file];
      },
      { hasChildren: true },
    );
    return port;
  },
  async ask(port) {
    const dig = ['dig', '@127.0.0.1', '-p', String(port), '+tcp', '+noall', '+answer', '+keepopen'] as const;
    const queries = await printed([...dig, 'www.example', 'A', 'www.example', 'AAAA', 'example', 'TXT']);
    const transfer = await printed([...dig, 'example', 'AXFR']);
    return `${queries}${transfer}`.replace(/[ \t]+/g, ' ').replace(/^;.*\n/gm, '');
  },
  answer:
    /^www\.example\. 3600 IN A 192\.0\.2\.10\nwww\.example\. 3600 IN AAAA 2001:db8::10\nexample\. 3600 IN TXT "a long text\. .*example\. 3600 IN SOA /s,
};
