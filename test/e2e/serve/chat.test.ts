/** `yodel serve chat`, with the clients that people have: nc, yodel connect, CRLF as of telnet, WebSocket and a browser. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { temporaryFolder } from '../../support/files.ts';
import { commandPath, type Running, type RunningServer, serve, start, yodel } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

const netcat = testWith('nc.openbsd', 'apt-get install netcat-openbsd');
const browser = testWith(['chromium', 'nc.openbsd'], 'apt-get install chromium netcat-openbsd');

async function serveChat(...flags: string[]): Promise<RunningServer> {
  return await serve(['chat', ...flags, '--listen', '127.0.0.1:0', '--listen', 'ws://127.0.0.1:0']);
}

function portOf(server: RunningServer, scheme: 'tcp' | 'ws'): string {
  return new RegExp(`listening on ${scheme}://127\\.0\\.0\\.1:(\\d+)`).exec(server.stderr())?.[1] as string;
}

/** Someone who talks. */
interface Talker {
  says(line: string): void;
  /** Resolves when a line has arrived that ends with this. */
  hears(end: string): Promise<unknown>;
  lines(): string[];
}

function programOf(program: Running): Talker {
  const literal = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return {
    says: (line) => void program.process.stdin?.write(`${line}\n`),
    hears: (end) => program.saw(new RegExp(`${literal(end)}\\r?$`, 'm')),
    lines: () => program.stdout().split(/\r?\n/).slice(0, -1),
  };
}

function netcatTo(port: string, ...flags: string[]): Talker {
  return programOf(start(['nc.openbsd', ...flags, '127.0.0.1', port]));
}

async function webSocketTo(port: string): Promise<Talker> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  onTestFinished(() => socket.terminate());
  const lines: string[] = [];
  let look = () => undefined as unknown;
  socket.on('message', (data: Buffer) => {
    lines.push(data.toString());
    look();
  });
  await once(socket, 'open');
  return {
    says: (line) => socket.send(line),
    hears: (end) =>
      new Promise<void>((resolve) => {
        look = () => lines.some((line) => line.endsWith(end)) && resolve();
        look();
      }),
    lines: () => lines,
  };
}

netcat('nc, yodel connect, a client with CRLF and a WebSocket talk in one room', async () => {
  const server = await serveChat();
  const port = portOf(server, 'tcp');
  const talkers: Record<string, Talker> = {
    nc: netcatTo(port),
    crlf: netcatTo(port, '-C'),
    yodel: programOf(start([process.execPath, commandPath, 'connect', `127.0.0.1:${port}`])),
    web: await webSocketTo(portOf(server, 'ws')),
  };
  const all = Object.entries(talkers);
  for (const [name, talker] of all) {
    await talker.hears(' joined lobby');
    talker.says(`/nick ${name}`);
    await talker.hears(` is now ${name}`);
  }
  for (const [name, talker] of all) talker.says(`hello from ${name}`);
  for (const [, talker] of all) for (const [name] of all) await talker.hears(`[lobby] ${name}: hello from ${name}`);
  const said = all.map(([, talker]) => talker.lines().filter((line) => line.includes(': hello from ')));
  for (const lines of said) expect(lines).toEqual(said[0]);
  expect(said[0]).toHaveLength(4);

  talkers.web?.says('/msg nc psst\r\n\x1b[2J');
  await talkers.nc?.hears(String.raw`(private) web to nc: psst\r\n\x1b[2J`);
  expect(talkers.yodel?.lines().some((line) => line.includes('psst'))).toBe(false);
  expect((await server.stop()).status).toBe(0);
});

test('names of rooms are refused, or exactly themselves', async () => {
  const server = await serveChat();
  const [one, two] = [await webSocketTo(portOf(server, 'ws')), await webSocketTo(portOf(server, 'ws'))];
  const names = ['>', '*', 'a..b', '你好', 'lobby.', 'LOBBY'];
  for (const name of names) {
    one.says(`/join ${name}`);
    await one.hears(` joined ${name}`);
    one.says('hello');
    await one.hears(`[${name}]${' guest-1: hello'}`);
  }
  for (const name of ['x'.repeat(5000), 'a\r\nb', 'a\r\n', '\u202e', 'a b']) {
    one.says(`/join ${name}`.slice(0, 4096));
    await one.hears(name.length > 4000 ? 'at most 128 bytes, not 4090' : 'no spaces, and no @ at its beginning');
    one.lines().length = 0;
  }
  one.says(`/join ${'x'.repeat(5000)}`);
  await one.hears('error: a message has at most 4096 characters');
  two.says('/who');
  await two.hears('* In lobby: guest-1, guest-2');
  expect(two.lines().filter((line) => line.endsWith('hello'))).toEqual([]);
});

netcat('those who come later see what was said, and those who vanish have left', async () => {
  const server = await serveChat('--room-history', '10', '--room', 'tea', '--room', 'cake', '--metrics', '127.0.0.1:0');
  const port = portOf(server, 'tcp');
  const one = netcatTo(port);
  await one.hears(' joined tea');
  one.says('hello');
  await one.hears('[tea] guest-1: hello');
  const late = start(['nc.openbsd', '127.0.0.1', port]);
  await late.saw(/^\* Before you joined tea:\n\[tea\] guest-1: hello\n\* guest-2 joined tea$/m);
  late.process.kill('SIGKILL');
  await one.hears('* guest-2 left tea');
  one.says('/join lobby');
  await one.hears('error: you may not join lobby');
  one.says('/nick ana');
  await one.hears('* guest-1 is now ana');
  one.says('/msg ana a note');
  await one.hears('(private) ana to ana: a note');
  one.says('/join cake');
  await one.hears(' joined cake');
  const [, url = ''] = await server.saw(/metrics at (\S+\/metrics)/);
  const metrics = await (await fetch(url)).text();
  // A person is a room, too. Who joined and left, and what was said: each counted once for all members.
  for (const line of ['yodel_rooms 3', 'yodel_room_members 3', 'yodel_room_messages_total 6'])
    expect(metrics.split('\n')).toContain(line);
  await server.saw(/#2 closed after .*, 2 rooms joined: /);
});

function browse(url: string): void {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', `--user-data-dir=${temporaryFolder()}`];
  start(['chromium', ...flags, url], { hasChildren: true });
}

test('--room is for chat', async () => {
  const { stderr, status } = await yodel(['serve', 'echo', '--room', 'tea']);
  expect(stderr).toContain('--room is for chat, and the handler is "echo"');
  expect(status).toBe(2);
  expect((await yodel(['serve', 'chat', '--room', 'a b'])).stderr).toContain('The name of a room has no spaces.');
  expect((await yodel(['serve', 'chat', '--room', '@a'])).stderr).toContain(
    'The name of a room has no @ at its beginning.',
  );
});

browser('a browser with the page of the examples, a WebSocket and nc talk to each other', async () => {
  const report = Promise.withResolvers<string>();
  const file = readFileSync(new URL('../../../examples/chat.html', import.meta.url), 'utf8');
  // Does what a person does: waits for the connection, writes a line, presses Enter.
  const person = `<script>
const done = () => fetch('/done', { method: 'POST', body: [...lines.children].map((item) => item.className + '|' + item.innerHTML).join('\\n') });
new MutationObserver(() => {
  if (lines.lastChild.textContent.endsWith('joined lobby') && lines.childElementCount > 1 && !window.hasSpoken) {
    window.hasSpoken = true;
    text.value = 'from the page ✓';
    form.requestSubmit();
  }
  if (lines.lastChild.textContent.endsWith('bye')) done();
}).observe(lines, { childList: true });
</script>`;
  const page = createServer((request, response) => {
    if (request.url !== '/done') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return void response.end(file + person);
    }
    let body = '';
    request.on('data', (chunk) => (body += String(chunk))).on('end', () => report.resolve(body));
    response.end();
  });
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  onTestFinished(() => void page.close());
  const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  const server = await serveChat('--origin', origin);
  const plain = netcatTo(portOf(server, 'tcp'));
  const web = await webSocketTo(portOf(server, 'ws'));
  await Promise.all([plain.hears(' joined lobby'), web.hears(' joined lobby')]);
  browse(`${origin}/?server=ws://127.0.0.1:${portOf(server, 'ws')}/`);
  await plain.hears('[lobby] guest-3: from the page ✓');
  plain.says('<img src=x onerror=alert(1)> from nc');
  await web.hears('from nc');
  web.says('from \u202ews & bye');
  const seen = (await report.promise).split('\n');
  expect(seen[0]).toBe('notice|* You are guest-3; /help lists the commands');
  expect(seen.slice(-3).map((line) => line.replace(/guest-\d/, 'guest'))).toEqual([
    '|[lobby] guest: from the page ✓',
    '|[lobby] guest: &lt;img src=x onerror=alert(1)&gt; from nc',
    String.raw`|[lobby] guest: from \u202ews &amp; bye`,
  ]);
});

testWith('chromium', 'apt-get install chromium')(
  'the page of the examples comes back with its name and rooms after a lost connection',
  async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    await once(server, 'listening');
    const greetings = [
      '* You are guest-7; /help lists the commands',
      '* guest-7 joined lobby',
      '* guest-7 is now ana',
      '* ana joined tea',
      '* ana joined cake',
      '* ana left tea',
      '* bob is now eve',
      '[lobby] bob: * ana joined nothing',
    ];
    // As if the server were restarted. Whatever the page sends then is what it remembers.
    server.once('connection', (socket) => {
      for (const line of greetings) socket.send(line);
      socket.close();
      server.once('connection', (again) => {
        again.on('message', (data) => sent.push(String(data)));
        again.on('message', () => sent.length === 3 && done.resolve());
        again.send('* You are guest-9; /help lists the commands');
      });
    });
    const sent: string[] = [];
    const done = Promise.withResolvers<void>();
    const page = new URL('../../../examples/chat.html', import.meta.url);
    browse(`${page}?server=ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await done.promise;
    expect(sent).toEqual(['/nick ana', '/join lobby', '/join cake']);
  },
);
