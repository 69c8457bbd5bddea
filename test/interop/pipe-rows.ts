/** The pipes of the table in docs/pipes.md: what goes in, who answers, and what has to come out. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { handlerFile } from '../support/files.ts';
import { serve } from '../support/process/command.ts';
import { listen, listenTls } from '../support/servers.ts';
import { redis } from './protocols/servers/redis.ts';
import { startAiosmtpd } from './protocols/servers/smtp.ts';

/** Which program a row is for. */
export type Program = 'yodel' | 'nc' | 'ncat' | 'socat';

export interface Row {
  /** Its name in the table. */
  readonly what: string;
  /** A command of the shell that prints the input. */
  readonly input: string;
  /** Starts the server, and resolves with its port. */
  readonly port: () => Promise<number>;
  /** What the client must print. Default: anything. */
  readonly output?: string | RegExp;
  /** Where its output goes: `> /dev/full`, `| head -n 1`. */
  readonly to?: string;
  /** More arguments, by program. `null`: the program cannot do it. */
  readonly flags?: Partial<Record<Program, string | null>>;
}

const others = { nc: null, ncat: null, socat: null } as const;

/** A server in the process of the test. */
function plain(client: (socket: Socket) => void): () => Promise<number> {
  return async () => (await listen(client)).port;
}

/** Answers at the end of input. */
const answers = (text: string, afterMs = 0) =>
  plain((socket) => {
    socket.on('end', () => setTimeout(() => socket.end(text), afterMs)).resume();
  });

const echo = plain((socket) => socket.pipe(socket));
const stays = plain((socket) => socket.on('data', (chunk) => socket.write(chunk)));
const silent = plain((socket) => socket.resume());

function http(answer: RequestListener): () => Promise<number> {
  return async () => {
    const server = createServer({ keepAliveTimeout: 300 }, answer).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
}

const tls = async () => (await listenTls(makeCertificate(), (socket) => socket.pipe(socket))).port;
const refused = async () => 1;
const yodelServe = async (...args: string[]) => (await serve([...args, '--quiet'])).port;

const errors = () => yodelServe(handlerFile('export default () => "error: no"'));

/** Answers when the request's connection has ended, which aborts it. */
const late: RequestListener = (request, response) => {
  request.socket.once('end', () => setTimeout(() => response.end('hi\n'), 50));
};

/** More input, a while after `bye` was printed. */
const afterBye = 'until grep -q bye output; do sleep 0.02; done 2> /dev/null; sleep 0.6';

const get = "printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'";
const lines = "printf 'one\\ntwo\\nthree\\n'";
const mail =
  "printf 'EHLO a\\r\\nMAIL FROM:<a@b.example>\\r\\nRCPT TO:<c@d.example>\\r\\nDATA\\r\\nSubject: x\\r\\n\\r\\nhi\\r\\n.\\r\\nQUIT\\r\\n'";
const refusedMail = "printf 'EHLO a\\r\\nNOSUCH\\r\\nQUIT\\r\\n'";
const proxyHeader = ['--proxy-protocol', '127.0.0.1'];

export const rows: readonly Row[] = [
  { what: 'three lines to an echo server', input: lines, port: echo, output: 'one\ntwo\nthree\n' },
  { what: 'no input at all', input: 'true', port: echo, output: '' },
  { what: 'a line without an ending', input: "printf 'one'", port: echo, output: 'one' },
  { what: 'bytes that are no text', input: "printf '\\377\\0\\n\\376'", port: echo, output: '\xff\0\n\xfe' },
  { what: '5 MB there and back', input: 'yes 0123456789abcde | head -c 5000000', port: echo, output: /^.{5000000}$/s },
  {
    what: '`sort` behind `exec:`',
    input: "printf 'b\\nc\\na\\n'",
    port: () => yodelServe('exec:sort'),
    output: 'a\nb\nc\n',
  },
  {
    what: '`sort \\| uniq -c` behind `exec:`',
    input: "printf 'a\\na\\na\\n'",
    port: () => yodelServe('exec:sh -c "sort | uniq -c"'),
    output: '      3 a\n',
  },
  { what: 'one line for three', input: lines, port: answers('done\n'), output: 'done\n' },
  { what: 'three lines for one', input: 'echo one', port: answers('1\n2\n3\n'), output: '1\n2\n3\n' },
  {
    what: 'a greeting, then replies',
    input: lines,
    port: plain((socket) => {
      socket.write('welcome\n');
      socket.pipe(socket);
    }),
    output: 'welcome\none\ntwo\nthree\n',
  },
  {
    what: 'prompts without line endings',
    input: "printf 'ada\\nsecret\\n'",
    port: answers('login: password: $ '),
    output: 'login: password: $ ',
  },
  { what: 'a sink that says nothing', input: lines, port: answers(''), output: '' },
  {
    what: 'a reply a second after the end of input',
    input: 'echo one',
    port: answers('late\n', 1000),
    output: 'late\n',
    flags: { socat: '' },
  },
  {
    what: 'a slow producer',
    input: '{ echo a; sleep 0.4; echo b; sleep 0.4; echo c; }',
    port: echo,
    output: 'a\nb\nc\n',
  },
  {
    what: 'HTTP, `Connection: close`',
    input: "printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n'",
    port: http((_, response) => response.end('hi\n')),
    output: /^HTTP.*hi\n$/s,
  },
  { what: 'HTTP, keep-alive', input: get, port: http((_, response) => response.end('hi\n')), output: /^HTTP.*hi\n/s },
  {
    what: 'HTTP, an error page',
    input: get,
    port: http((_, response) => response.writeHead(404).end()),
    output: /^HTTP\/1.1 404/,
  },
  {
    what: 'HTTP, a reply a moment later from Node.js, which gives up at the end of input',
    input: get,
    port: http(late),
    output: /^HTTP.*hi\n/s,
  },
  {
    what: 'the same without FIN: `--no-shutdown`, `nc` without `-N`',
    input: get,
    port: http((_, response) => void setTimeout(() => response.end('hi\n'), 200)),
    output: /^HTTP.*hi\n/s,
    flags: { yodel: '--no-shutdown', nc: '', ncat: '--no-shutdown', socat: null },
  },
  { what: 'SMTP, a mail that is accepted', input: mail, port: startAiosmtpd, output: /\n221 / },
  { what: 'SMTP, a command that is refused', input: refusedMail, port: startAiosmtpd, output: /\n221 / },
  {
    what: 'the same with `--protocol smtp --lockstep`',
    input: refusedMail,
    port: startAiosmtpd,
    flags: { yodel: '--protocol smtp --lockstep', ...others },
  },
  {
    what: 'plain text to a TLS port, which closes',
    input: lines,
    port: plain((socket) => {
      socket.once('data', () => socket.end());
    }),
  },
  {
    what: 'plain text to a TLS port, which answers with an alert',
    input: lines,
    port: plain((socket) => {
      socket.once('data', () => socket.end(Buffer.from('15030300020246', 'hex')));
    }),
  },
  {
    what: 'TLS',
    input: lines,
    port: tls,
    output: 'one\ntwo\nthree\n',
    flags: { yodel: '--ssl --insecure', nc: null, ncat: '--ssl', socat: 'OPENSSL:127.0.0.1:PORT,verify=0' },
  },
  { what: 'plain text to a server that expects a PROXY header', input: lines, port: () => yodelServe(...proxyHeader) },
  { what: 'nobody listens', input: lines, port: refused },
  {
    what: 'a server that closes at once',
    input: 'sleep 0.3; echo one',
    port: plain((socket) => socket.destroy()),
  },
  {
    what: 'a server that replies to the first line and closes with the rest unread',
    input: 'head -c 1000000 /dev/zero',
    port: plain((socket) => {
      socket.once('data', () => socket.pause().write('no\n', () => socket.destroy()));
    }),
  },
  {
    what: 'a server that replies, ends its side, and reads no more',
    input: 'head -c 50000000 /dev/zero',
    port: plain((socket) => {
      socket.once('data', () => socket.pause().end('no\n'));
    }),
    flags: { yodel: '--wait 2s', socat: '' },
  },
  { what: '50 MB to a server that accepts 64 KiB', input: 'head -c 50000000 /dev/zero', port: () => yodelServe() },
  {
    what: 'a server that resets the connection after its reply',
    input: 'echo one; sleep 0.5',
    port: plain((socket) => {
      socket.once('data', () => socket.write('one\n', () => socket.resetAndDestroy()));
    }),
    output: 'one\n',
  },
  {
    what: 'a server that says goodbye before the input ends',
    input: `echo QUIT; ${afterBye}`,
    to: '| tee output',
    port: plain((socket) => {
      socket.once('data', () => socket.end('bye\n'));
    }),
    output: 'bye\n',
  },
  {
    what: 'the same, and more input follows',
    input: `echo QUIT; ${afterBye}; echo more`,
    to: '| tee output',
    port: plain((socket) => {
      socket.once('data', () => socket.end('bye\n'));
    }),
    output: 'bye\n',
  },
  {
    what: 'a server that ends its side at once and takes everything',
    input: 'head -c 5000000 /dev/zero',
    port: plain((socket) => socket.end().resume()),
    output: '',
  },
  {
    what: 'a server that replies and stays open',
    input: lines,
    port: stays,
    output: 'one\ntwo\nthree\n',
    flags: { yodel: '--wait 2s', socat: '' },
  },
  {
    what: 'a server that says nothing and stays open',
    input: lines,
    port: silent,
    flags: { yodel: '--wait 2s', socat: '' },
  },
  {
    what: 'a server that stays open, and two seconds of patience: `--no-shutdown --wait 2s`, `nc -q 2`, `ncat -i 2s`, `socat -t 2`',
    input: lines,
    port: stays,
    output: 'one\ntwo\nthree\n',
    flags: { yodel: '--no-shutdown --wait 2s', nc: '-q 2', ncat: '--no-shutdown -i 2s', socat: '-t 2' },
  },
  { what: '`\\| head -n 1`', input: 'yes', port: echo, to: '| head -n 1', output: 'y\n' },
  { what: '`> /dev/full`', input: lines, port: echo, to: '> /dev/full' },
  {
    what: 'an `error:` in a reply',
    input: lines,
    port: errors,
    output: 'error: no\nerror: no\nerror: no\n',
  },
  {
    what: 'the same with `--wait-replies`',
    input: lines,
    port: errors,
    output: 'error: no\nerror: no\nerror: no\n',
    flags: { yodel: '--wait-replies', ...others },
  },
  {
    what: '`--wait-replies`, and a reply is missing',
    input: lines,
    port: answers('1\n2\n'),
    flags: { yodel: '--wait-replies --timeout 500ms', ...others },
  },
  {
    what: '`--count-replies 2`',
    input: "printf 'PING\\r\\nPING\\r\\nPING\\r\\n'",
    port: redis.start,
    output: '+PONG\r\n+PONG\r\n',
    flags: { yodel: '--protocol redis --count-replies 2', ...others },
  },
];
