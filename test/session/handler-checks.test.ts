/** What is refused as a handler, and what is not. */
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { chat } from '../../src/handlers/chat.ts';
import { exec } from '../../src/handlers/exec.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import { handlersByName } from '../../src/handlers/handlers.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { type Handler, resolveHandler } from '../../src/session/handler.ts';
import { parse } from '../../src/transcript/library.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';

const call = () => undefined;

describe('a callback that is misspelt is refused, and the error says which one is meant', () => {
  it.each([
    ['mesage', 'message'],
    ['messsage', 'message'],
    ['Message', 'message'],
    ['onMessage', 'message'],
    ['on_message', 'message'],
    ['handleMessage', 'message'],
    ['messages', 'message'],
    ['messageHandler', 'message'],
    ['openned', 'open'],
    ['opened', 'open'],
    ['opne', 'open'],
    ['onOpen', 'open'],
    ['closed', 'close'],
    ['clsoe', 'close'],
    ['onClose', 'close'],
    ['ended', 'end'],
    ['onEnd', 'end'],
    ['bacth', 'batch'],
    ['batches', 'batch'],
    ['started', 'start'],
    ['stopped', 'stop'],
    ['mised', 'missed'],
    ['authorise', 'authorize'],
    ['onStored', 'stored'],
  ])('%s', (name, meant) => {
    const other = meant === 'close' ? 'open' : 'close';
    const refused = `the handler has "${name}", which is never called. Did you mean "${meant}"?`;
    expect(() => resolveHandler({ [other]: call, [name]: call })).toThrow(refused);
    expect(() => resolveHandler({ [name]: call })).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_HANDLER' }));
  });

  it('also where it is a method of a class, inherited or not', () => {
    class Base {
      openned() {}
    }
    class Counter extends Base {
      message() {}
    }
    expect(() => resolveHandler(new Base())).toThrow('Did you mean "open"?');
    expect(() => resolveHandler(new Counter())).toThrow('Did you mean "open"?');
  });
});

describe('what else an object has is the business of the program', () => {
  it.each([
    ['a near name beside the callback itself', { message: call, onMessage: call, close: call, closed: call }],
    ['handleMessage beside batch', { batch: call, handleMessage: call }],
    ['values that are no functions', { message: call, opened: 3, closed: new Date(), ends: 'x' }],
    [
      'ordinary words',
      { message: call, send: call, store: call, take: call, restart: call, match: call, token: call, reopen: call },
    ],
    ['other functions', { message: call, count: call, lookUp: call, on: call, emit: call, toString: call, data: call }],
    [
      'a getter, which is not called',
      {
        message: call,
        get opened() {
          throw new Error('called');
        },
      },
    ],
  ])('%s', (_, handler) => {
    expect(resolveHandler(handler)).toBe(handler);
  });

  it('an object that inherits from a class of the runtime', () => {
    class Room extends EventEmitter {
      readonly #name = 'lobby';
      message(): string {
        return this.#name;
      }
    }
    const room = new Room();
    expect(resolveHandler(room)).toBe(room);
  });

  it('every handler of yodel', () => {
    const mock = mockServer(parse('> hello\n< welcome\n'));
    const all: Handler[] = [
      ...Object.values(handlersByName).map(({ handler }) => handler),
      chat(),
      exec(['cat']),
      mock,
    ];
    for (const handler of [...all, proxy(1), withFaults(proxy(1), [])])
      expect(() => resolveHandler(handler)).not.toThrow();
  });
});

describe('what is no handler is refused, and the error says what to write', () => {
  it.each([
    ['a class', class Counter {}, 'the handler is the class Counter, not an object of it: write new Counter()'],
    ['a promise', Promise.resolve(call), 'the handler is a promise: await it first'],
    ['a promise of a module', import('../../examples/shout.ts'), "(await import('./handler.ts')).default"],
    ['text', 'echo', 'the handler is the text "echo". Those of yodel are functions and objects: import { echo }'],
    ['a list', [call], 'the handler is an array; of several handlers, compose() makes one'],
    ['a number', 7, 'this is not a handler, but a number'],
    ['null', null, 'this is not a handler, but null'],
    ['nothing to call', { count: 1 }, 'the handler has no callback'],
    [
      'a callback that is a promise',
      { message: Promise.resolve() },
      'the "message" of the handler is not a function, but a promise',
    ],
    ['both forms', { message: call, batch: call }, 'the handler has both "message" and "batch"; leave one of them out'],
  ])('%s', (_, handler, reason) => {
    expect(() => resolveHandler(handler)).toThrow(reason);
    expect(() => resolveHandler(handler)).toThrow(/A handler is a function \(message, session\) => reply/);
  });

  it('a module with a default export', async () => {
    const module = await import('../../examples/shout.ts');
    expect(() => resolveHandler(module)).toThrow('the handler is a module: give its export, such as module.default');
  });
});
