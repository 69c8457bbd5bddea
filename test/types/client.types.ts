/** The types of clients: what is inferred, and what does not compile. Compiled by `npm run types`, never run. */
import { expectTypeOf } from 'vitest';
import { connect as connectInPage } from '../../src/browser/library.ts';
import { type Client, type Codec, connect, type Message, type Server } from '../../src/index.ts';

interface Command {
  op: string;
}
interface Result {
  id: number;
  ok: boolean;
}
declare const codec: Codec<Result, Command>;

export async function messages(server: Server): Promise<void> {
  expectTypeOf(await connect()).toEqualTypeOf<Client>();
  const client = await connect(server.addresses[0]);
  expectTypeOf(await client.request('hello')).toEqualTypeOf<Message>();
  for await (const message of client) expectTypeOf(message).toEqualTypeOf<Message>();
  await client.sendAll(['one', new Uint8Array(1)]);
  await client.sendAll(new Set(['one']).values());
  await client.sendAll(client);
}

export async function values(): Promise<void> {
  const client = await connect(7878, {
    codec,
    correlate: { requestId: (sent) => ('op' in sent ? sent.op : undefined), replyId: (result) => result.id },
  });
  expectTypeOf(await client.request({ op: 'get' })).toEqualTypeOf<Result>();
  for await (const result of client) expectTypeOf(result).toEqualTypeOf<Result>();
  // @ts-expect-error A text is no value of the codec.
  client.send('text');
}

export async function mistakes(setting: string | undefined): Promise<void> {
  // @ts-expect-error An address that is not there.
  await connect(undefined);
  // @ts-expect-error A setting that may be missing.
  await connect(setting);
  // @ts-expect-error The same in a page.
  await connectInPage(setting);
  // @ts-expect-error An object that is no address.
  await connect({ host: '127.0.0.1', port: 7878 });
  // @ts-expect-error Misspelt.
  await connect(1, { requestTimout: 5 });
  // @ts-expect-error Misspelt.
  await connect(1, { reconnect: { initail: true } });
  // @ts-expect-error A limit is a number.
  await connect(1, { reconnect: { maxDelay: '5s' } });
  // @ts-expect-error A text.
  await connect(1, { reconnect: 'yes' });
  // @ts-expect-error Options of servers.
  await connect(1, { tls: { cert: '', clientCa: '' } });
  // @ts-expect-error A text.
  await connect(1, { tls: 'insecure' });
  // @ts-expect-error It needs both.
  await connect(1, { correlate: { requestId: () => 1 } });
  const client = await connect(1);
  // @ts-expect-error Misspelt.
  await client.request('x', { timeout: 5 });
  // @ts-expect-error One message, which would be sent by characters.
  await client.sendAll('hello');
  // @ts-expect-error Misspelt.
  await client.ready({ timeout: 5 });
}
