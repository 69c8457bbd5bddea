/** Second connections: the mock listens, and tells its client where. */
import { expect, it } from 'vitest';
import { dial } from '../../support/peer.ts';
import { type Mocked, mocked, problemsOf } from './mocked.ts';

const completed: string[] = [];

/** Plays a download by FTP. */
async function download(one: Mocked, passive: string, portIn: (reply: string) => number): Promise<string> {
  const peer = await one.connect();
  await peer.saw(/220 ready\n/);
  const port = portIn(await peer.ask(passive));
  await peer.send('RETR file\n');
  const data = await dial(port);
  const content = (await data.ended).toString();
  data.end();
  await peer.saw(/226 done\n/);
  peer.end();
  await peer.ended;
  return content;
}

const ending = '< 226 done\n';

it('a name alone gets the notation of FTP where a line of the server has it in parentheses', async () => {
  const one = await mocked(
    `< 220 ready\n> PASV\n< 227 Entering Passive Mode ({data}).\n> RETR file\n@connect data {data} framing=lines\ndata< line 1\ndata< line 2\n@closed data\n${ending}`,
  );
  const ftp = (reply: string) => {
    const [, high, low] = /\(127,0,0,1,(\d+),(\d+)\)/.exec(reply) ?? [];
    return Number(high) * 256 + Number(low);
  };
  expect(await download(one, 'PASV', ftp)).toBe('line 1\nline 2\n');
  expect(await problemsOf(one)).toEqual(completed);
});

it('a name in the place of a port gets the port, also behind the host of the server that was recorded', async () => {
  for (const host of ['127.0.0.1', '192.0.2.7']) {
    const one = await mocked(
      `< 220 ready\n> EPSV\n< 229 Extended (|||{port}|)\n> RETR file\n@connect data ${host}:{port} framing=raw\ndata< content\n@closed data\n${ending}`,
    );
    const extended = (reply: string) => Number(/\|(\d+)\|/.exec(reply)?.[1]);
    expect(await download(one, 'EPSV', extended)).toBe('content');
    expect(await problemsOf(one)).toEqual(completed);
  }
});

it('what the client sends there is compared', async () => {
  const one = await mocked('< at {address}\n@connect data {address}\ndata> hello\n> done\n');
  const peer = await one.connect();
  const [, port] = await peer.saw(/^at 127\.0\.0\.1:(\d+)\n/);
  const data = await dial(Number(port));
  await data.send('hullo\n');
  data.end();
  expect((await data.ended).toString()).toBe('error: talk.transcript:3: expected data> hello, received > hullo\n');
  await peer.send('done\n');
  peer.end();
  await peer.ended;
  expect(await problemsOf(one)).toEqual(['talk.transcript:3: expected data> hello, received > hullo']);
});

it('a client that does not connect there is a problem', async () => {
  const one = await mocked('< at {address}\n> ready\n@connect data {address}\ndata> hello\n');
  await one.say('ready\n');
  expect(await problemsOf(one)).toEqual(['talk.transcript:4: data has not connected, and not come to: data> hello']);
});
