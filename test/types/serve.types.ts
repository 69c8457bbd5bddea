/** The types of servers and handlers: what is inferred, and what does not compile. Compiled by `npm run types`, never run. */
import { expectTypeOf } from 'vitest';
import {
  type Codec,
  echo,
  type Handler,
  type HandlerCallbacks,
  type HandlerObject,
  json,
  type Message,
  type Server,
  type Session,
  type SessionServer,
  serve,
} from '../../src/index.ts';

interface Account {
  name: string;
  visits: number;
}
interface Command {
  op: string;
}
interface Result {
  ok: boolean;
}
declare const codec: Codec<Command, Result>;

export async function dataIsInferred(): Promise<void> {
  const server = await serve({
    data: () => ({ count: 0 }),
    handler: (message, session) => {
      expectTypeOf(message).toEqualTypeOf<Message>();
      expectTypeOf(session.data).toEqualTypeOf<{ count: number }>();
      return `${++session.data.count}`;
    },
  });
  expectTypeOf(server).toEqualTypeOf<Server<{ count: number }>>();
  for (const session of server.sessions) expectTypeOf(session.data.count).toBeNumber();
  await serve({
    data: (session) => ({ id: session.id }),
    handler: {
      start: (own) => void expectTypeOf(own).toExtend<SessionServer<{ id: number }>>(),
      open: (session) => void expectTypeOf(session.data.id).toBeNumber(),
      message: (message, session) => message.text + session.data.id,
      close: (session, error) => {
        expectTypeOf(session.data.id).toBeNumber();
        expectTypeOf(error?.message).toEqualTypeOf<string | undefined>();
      },
    },
  });
}

export async function dataIsOptional(): Promise<void> {
  await serve();
  await serve({ handler: echo });
  await serve({
    handler(_, session) {
      session.data.anything = 1;
    },
  });
  const counter: HandlerObject<Account> = { message: (_, session) => session.data.name };
  await serve({ data: (): Account => ({ name: 'ada', visits: 1 }), handler: counter });
  // @ts-expect-error The handler needs data.
  await serve({ handler: counter });
  // @ts-expect-error The handler needs other data.
  await serve({ data: () => ({ name: 1 }), handler: counter });
  // @ts-expect-error The data is named, and nothing creates it.
  await serve<Account>({ handler: counter });
}

export async function valuesAreInferred(): Promise<void> {
  const server = await serve({
    codec,
    handler: (command, session) => {
      expectTypeOf(command).toEqualTypeOf<Command>();
      session.send({ ok: true });
      return { ok: command.op === 'get' };
    },
  });
  server.room('all').send({ ok: true });
  // @ts-expect-error A text is no value of the codec.
  server.room('all').send('text');
  // @ts-expect-error The reply has another shape.
  await serve({ codec, handler: (command) => ({ no: command.op }) });
  const typed: Handler<Account, typeof codec> = (command, session) => ({ ok: session.data.name === command.op });
  await serve({ codec, data: (): Account => ({ name: '', visits: 1 }), handler: typed });
  // @ts-expect-error The handler needs the codec.
  await serve({ data: (): Account => ({ name: '', visits: 1 }), handler: typed });
  await serve({ codec: json(), handler: (value) => ({ value }) });
}

export async function classesAreHandlers(): Promise<void> {
  class Counter implements HandlerCallbacks<{ count: number }> {
    readonly #step = 1;
    async start(server: SessionServer<{ count: number }>): Promise<void> {
      server.broadcast('hello');
    }
    message(_: Message, session: Session<{ count: number }>): string {
      session.data.count += this.#step;
      return String(session.data.count);
    }
    stop(): void {}
  }
  await serve({ data: () => ({ count: 0 }), handler: new Counter() });
  // @ts-expect-error The class, not an object of it.
  await serve({ data: () => ({ count: 0 }), handler: Counter });
}

export async function mistakesInHandlers(): Promise<void> {
  // @ts-expect-error Misspelt.
  await serve({ handler: { mesage: () => 'x' } });
  // @ts-expect-error Misspelt, beside another callback.
  await serve({ handler: { message: () => 'x', openned: () => 'x' } });
  // @ts-expect-error Both forms.
  await serve({ handler: { message: () => 'x', batch: (batch) => batch } });
  // @ts-expect-error A number is no reply.
  await serve({ handler: () => 5 });
  // @ts-expect-error A callback is a function.
  await serve({ handler: { message: 'echo' } });
  // @ts-expect-error A handler of yodel is a function or an object, not its name.
  await serve({ handler: 'echo' });
  // @ts-expect-error A promise.
  await serve({ handler: Promise.resolve(() => 'x') });
  // @ts-expect-error A promise of a module.
  await serve({ handler: import('../../examples/shout.ts') });
  // @ts-expect-error A module.
  await serve({ handler: await import('../../examples/shout.ts') });
  // @ts-expect-error Several handlers.
  await serve({ handler: [echo, echo] });
}

export async function errorReplies(server: Server): Promise<void> {
  await serve({ errorReply: (text, code) => (code === 'APP_DENIED' ? undefined : `-ERR ${text.toUpperCase()}`) });
  await serve({ codec: json<number, { no: string }>(), errorReply: (text) => ({ no: text }) });
  await server.reload({ errorReply: () => Uint8Array.of(1) });
  // @ts-expect-error No message.
  await serve({ errorReply: (text) => ({ no: text }) });
  // @ts-expect-error No value of the codec.
  await serve({ codec: json<number, { no: string }>(), errorReply: (text) => ({ wrong: text }) });
  // @ts-expect-error It is sent at once.
  await serve({ errorReply: async (text) => text });
}

export async function mistakesInOptions(): Promise<void> {
  // @ts-expect-error Misspelt.
  await serve({ handelr: echo });
  // @ts-expect-error A handler alone.
  await serve(echo);
  // @ts-expect-error A port alone.
  await serve(7878);
  // @ts-expect-error A limit is a number.
  await serve({ maxMessageLength: '64KiB' });
  // @ts-expect-error There is no such choice.
  await serve({ onTooLong: 'cut' });
  // @ts-expect-error TLS needs a key.
  await serve({ tls: { cert: '' } });
  // @ts-expect-error Misspelt.
  await serve({ tls: { cert: '', key: '', clientCA: '' } });
  // @ts-expect-error Lists of texts.
  await serve({ allow: '10.0.0.0/8' });
  // @ts-expect-error A misspelt event.
  await serve({ telemetry: { open: () => undefined } });
  await serve({ telemetry: [{ opened: () => undefined }, { closed: () => undefined }] });
  // @ts-expect-error A misspelt event in a list.
  await serve({ telemetry: [{ closd: () => undefined }] });
}

export async function reload(server: Server): Promise<void> {
  expectTypeOf(server.reload).returns.toEqualTypeOf<Promise<void>>();
  await server.reload({ handler: echo, maxConnections: 7 });
  // @ts-expect-error It cannot change.
  await server.reload({ listen: ':1' });
  // @ts-expect-error Misspelt.
  await server.close({ timeout: 5 });
}
