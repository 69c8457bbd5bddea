/** What compilers know of chains, and which mistakes do not compile. Nothing here is about what happens when it runs. */
import { expect, expectTypeOf, it } from 'vitest';
import type { Codec } from '../../../src/codec/codec.ts';
import type { Middleware } from '../../../src/handlers/compose/middleware.ts';
import { compose } from '../../../src/handlers/compose.ts';
import { echo } from '../../../src/handlers/echo.ts';
import { faults, withFaults } from '../../../src/handlers/faults.ts';
import type { ServeOptions } from '../../../src/server/options.ts';
import type { Handler, HandlerObject } from '../../../src/session/handler.ts';

interface User {
  name: string;
}
type Values = Codec<{ op: string }, { ok: boolean }>;

const log: Middleware = async (message, session, next) => {
  expectTypeOf(message.text).toBeString();
  expectTypeOf(session.data).toBeUnknown();
  return await next();
};
const named: Middleware<User> = { message: (_message, session, next) => (session.data.name === '' ? 'no' : next()) };
// biome-ignore lint/suspicious/noExplicitAny: for all data and codecs
const general: Middleware<any, any> = { message: (_message, _session, next) => next() };
const ofUser: Handler<User> = (message, session) => session.data.name + message.text;
const ofValues: Handler<User, Values> = (value) => ({ ok: value.op === '' });

it('the parts say what data and which codec sessions have', () => {
  expectTypeOf(compose(echo)).toEqualTypeOf<HandlerObject>();
  expectTypeOf(compose(log, echo)).toEqualTypeOf<HandlerObject>();
  expectTypeOf(compose(log, ofUser)).toEqualTypeOf<HandlerObject<User>>();
  expectTypeOf(compose(log, named, log, log, log, log, ofUser)).toEqualTypeOf<HandlerObject<User>>();
  expectTypeOf(compose(general, ofValues)).toEqualTypeOf<HandlerObject<User, Values>>();
  expectTypeOf(compose(faults([]), ofValues)).toEqualTypeOf<HandlerObject<User, Values>>();
  expectTypeOf(withFaults(ofValues, [])).toEqualTypeOf<HandlerObject<User, Values>>();
  const greeting = compose(named, log, (message, session) => {
    expectTypeOf(message.text).toBeString();
    expectTypeOf(session.data).toEqualTypeOf<User>();
    return `${session.data.name}: ${message.text}`;
  });
  expectTypeOf(greeting).toEqualTypeOf<HandlerObject<User>>();
  expect(greeting).toBeDefined();
});

// biome-ignore lint/suspicious/noExplicitAny: for all codecs
const timed: Middleware<unknown, any> = async (message, session, next) => {
  expectTypeOf(message).toBeUnknown();
  expectTypeOf(session.data).toBeUnknown();
  const reply = await next();
  expectTypeOf(reply).toBeUnknown();
  return reply;
};

it('one middleware may be for all codecs', () => {
  expectTypeOf(compose(timed, echo)).toEqualTypeOf<HandlerObject>();
  expectTypeOf(compose(log, timed, named, ofUser)).toEqualTypeOf<HandlerObject<User>>();
  expectTypeOf(compose(timed, ofValues)).toEqualTypeOf<HandlerObject<User, Values>>();
  expect(compose(timed, ofValues).message).toBeDefined();
});

it('functions without types get theirs from the variable that the chain is for', () => {
  const handler: Handler<User, Values> = compose(
    timed,
    (value, session, next) => {
      expectTypeOf(value).toEqualTypeOf<{ op: string }>();
      expectTypeOf(session.data).toEqualTypeOf<User>();
      return next();
    },
    (value, session) => ({ ok: value.op === session.data.name }),
  );
  expect(handler).toBeDefined();
});

it('functions without types get theirs from the other parts, or are told them', () => {
  const first = compose((_message, session, next) => {
    expectTypeOf(session.data).toEqualTypeOf<User>();
    return next();
  }, ofUser);
  const told = compose<User, Values>(
    (value, session, next) => {
      expectTypeOf(value).toEqualTypeOf<{ op: string }>();
      expectTypeOf(session.data.name).toBeString();
      expectTypeOf<Awaited<ReturnType<typeof next>>>().toExtend<{ ok: boolean } | object | undefined | void>();
      return next({ op: 'changed' });
    },
    { open: (session, next) => (session.data.name === '' ? { ok: false } : next()) },
    (value) => ({ ok: value.op === '' }),
  );
  expect([first, told].every((handler) => handler.message)).toBe(true);
});

it('mistakes do not compile', () => {
  const options: ServeOptions<User>[] = [{ data: () => ({ name: '' }), handler: compose(log, ofUser) }];
  // @ts-expect-error The session's data has no name.
  const others: ServeOptions<{ age: number }>[] = [{ data: () => ({ age: 1 }), handler: compose(log, ofUser) }];
  // @ts-expect-error A chain ends with a handler.
  expect(() => compose(log, log)).toThrow();
  // @ts-expect-error A misspelt callback.
  expect(() => compose({ mesage: (_message, _session, next) => next() }, echo)).toThrow();
  // @ts-expect-error Not a value of the codec.
  compose<User, Values>((_value, _session, next) => next('text'), ofValues);
  // @ts-expect-error Middleware of messages before a handler of values.
  compose(log, ofValues);
  expect([...options, ...others].length).toBe(2);
});
