// What a client may do depends on its certificate. FOLDER has ca.pem, server.pem and server.key.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serve, YodelError } from 'yodel';

const read = (name: string) => readFileSync(join(process.env.FOLDER ?? '.', name), 'utf8');

/** Who may do what. */
const rights = new Map([
  ['spiffe://example.org/billing', ['read', 'write']],
  ['spiffe://example.org/reports', ['read']],
]);

const server = await serve({
  listen: 'tls://127.0.0.1:0',
  tls: { cert: read('server.pem'), key: read('server.key'), clientCa: read('ca.pem') },
  data({ security }) {
    // Each name is a value of its own. A text with all of them could be misread: a name may contain commas and quotes.
    const [identity, ...others] = security?.certificate?.alternativeNames.uri ?? [];
    const isClear = identity !== undefined && others.length === 0;
    return { identity, may: new Set(isClear ? rights.get(identity) : []) };
  },
  handler({ text }, { data }) {
    const [action = ''] = text.split(' ');
    if (data.may.has(action)) return `${action}: done`;
    throw new YodelError('APP_FORBIDDEN', `${data.identity} may not ${action}`, {
      reply: 'your certificate is not for this',
    });
  },
  telemetry: { closed: (_, error) => error && console.log(`log: ${error.code}: ${error.message}`) },
});
console.log(`listening on ${server.addresses[0]}`);
