/** A web page and TCP clients in one room: the same with yodel, as in docs/browsers.md, and with node:net and ws. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, connect } from '../../src/index.ts';
import { type Browser, startChromium } from '../support/chromium.ts';
import { dial } from '../support/peer.ts';
import { freePort } from '../support/ports.ts';
import { start } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';
import { requestUpgrade } from '../support/upgrade-request.ts';

const root = new URL('../../', import.meta.url).pathname;
const versions = { yodel: 'examples/page.ts', 'node:net and ws': 'test/applications/plain/page.ts' };

async function startRoom(file: string, ...ports: string[]) {
  const running = start([process.execPath, root + file, ...(ports.length > 0 ? ports : ['0', '0'])]);
  const [, tcp = '', web = ''] = await running.saw(/^tcp: (\S+), page: (\S+)$/m);
  return { running, tcp, web, room: `${web.replace('http', 'ws')}room`, port: Number(new URL(tcp).port) };
}

async function join(address: string): Promise<Client> {
  const client = await connect(address);
  onTestFinished(() => client.abort());
  return client;
}

async function next(client: Client): Promise<string | undefined> {
  return (await client[Symbol.asyncIterator]().next()).value?.text;
}

/** The status that an HTTP server gives to a request, and its body. */
function get(address: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(address, { agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asked.on('error', reject).end();
  });
}

const each = test.each(Object.entries(versions));

each('what one says all receive, over TCP and WebSocket, with %s', async (_, file) => {
  const { tcp, room, web, running, port } = await startRoom(file);
  expect(await get(web)).toMatchObject({ status: 200, body: expect.stringContaining('id="lines"') });
  expect(await get(`${web}other`)).toMatchObject({ status: 404 });

  const clients: Client[] = [];
  for (const address of [tcp, room, room]) {
    clients.push(await join(address));
    // A client is in the room when it has received what it has said.
    clients.at(-1)?.send(`number ${clients.length}`);
    for (const client of clients) expect(await next(client)).toBe(`number ${clients.length}`);
  }
  const [line, page] = clients as [Client, Client];
  line.send('from TCP ✓');
  expect(await Promise.all(clients.map(next))).toEqual(Array(3).fill('from TCP ✓'));
  // Two lines are one message for pages. They cannot be sent as a line, which disturbs nobody.
  page.send('two\nlines');
  page.send('last');
  expect(await next(page)).toBe('two\nlines');
  expect([await next(page), await next(line)]).toEqual(['last', 'last']);

  const webPort = Number(new URL(web).port);
  for (const [origin, status] of [
    [web.slice(0, -1), '101'],
    ['http://evil.example', '403'],
    [`http://evil.example:${webPort}`, '403'],
    ['null', '403'],
  ]) {
    const { head, socket } = await requestUpgrade(webPort, '/room', [`Origin: ${origin}`]);
    socket.destroy();
    expect(head.split(' ')[1], origin).toBe(status);
  }
  await expect(connect(`${room}/other`)).rejects.toThrow();

  const long = await dial(port);
  await long.send('x'.repeat(70_000));
  expect((await long.ended).toString()).toMatch(/^error: .* longer than the limit of 65536 bytes\n$/);
  const longPage = await join(room);
  longPage.send('x'.repeat(70_000));
  await longPage.closed;
  page.send('still here');
  expect(await Promise.all(clients.map(next))).toContain('still here');

  const stopped = running.stop();
  await Promise.all(clients.map(({ closed }) => closed));
  for (const client of clients) client.abort();
  expect(await stopped).toMatchObject({ status: 0, stderr: '' });
});

each('a client that reads nothing delays nobody, and is disconnected, with %s', async (_, file) => {
  const { room, port } = await startRoom(file);
  const slow = await dial(port);
  await slow.send('ready\n');
  await slow.saw(/ready/);
  slow.socket.pause();
  const page = await join(room);
  const text = 'x'.repeat(60_000);
  // More than the buffers of the operating system: 12 MB.
  for (let count = 0; count < 200; count++) {
    page.send(text);
    expect(await next(page)).toHaveLength(text.length);
  }
  slow.socket.resume();
  await slow.ended.catch(() => undefined);
  expect(slow.size).toBeLessThan(12_000_000);
});

testWith('chromium', 'apt-get install chromium')(
  'the page in a browser and a TCP client talk to each other, also after a restart of the server',
  async () => {
    const browser = await startChromium();
    onTestFinished(() => browser.close());
    for (const file of Object.values(versions)) await talk(browser, file);
  },
);

async function talk(browser: Browser, file: string): Promise<void> {
  const ports = [String(await freePort()), String(await freePort())] as const;
  const first = await startRoom(file, ...ports);
  const page = await browser.open(first.web);
  const client = await join(first.tcp);
  await page.run(whenItSays, '#state', 'connected');
  client.send('from TCP');
  expect(await next(client)).toBe('from TCP');
  await page.run(whenItSays, '#lines', 'from TCP');
  await page.run(write, 'from the page <b>✓</b>');
  expect(await next(client)).toBe('from the page <b>✓</b>');
  await page.run(whenItSays, '#lines', 'from the page <b>✓</b>');
  client.abort();
  await first.running.stop('SIGKILL');
  await page.run(whenItSays, '#state', 'reconnecting');
  await startRoom(file, ...ports);
  await page.run(whenItSays, '#state', 'connected');
  await page.run(write, 'still here');
  await page.run(whenItSays, '#lines', 'still here');
}

/** The part of the DOM that is used in the page. */
interface Dom {
  readonly document: {
    querySelector(selector: string): { textContent: string; value: string; requestSubmit(): void };
  };
}

/** Resolves when the element has the text. */
async function whenItSays(selector: string, text: string): Promise<void> {
  const { document } = globalThis as unknown as Dom;
  while (!document.querySelector(selector).textContent.includes(text)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Does what a person does. */
function write(text: string): void {
  const { document } = globalThis as unknown as Dom;
  document.querySelector('#text').value = text;
  document.querySelector('#form').requestSubmit();
}

test('docs/browsers.md shows the page as it is in the example', () => {
  const [, shown] =
    /<!-- examples\/page\.html -->\n```html\n(.*?)```/s.exec(readFileSync(`${root}docs/browsers.md`, 'utf8')) ?? [];
  expect(shown).toBe(readFileSync(`${root}examples/page.html`, 'utf8'));
});
