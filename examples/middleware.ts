// Middleware: a log of every message with the time that it took, an answer where the handler fails, and cleaner messages.
import { compose, connect, Message, type Middleware, serve } from 'yodel';

const log: Middleware = async (message, session, next) => {
  const began = performance.now();
  const reply = await next();
  console.log(`#${session.id} ${message} -> ${reply} (${performance.now() - began < 1000 ? 'fast' : 'slow'})`);
  return reply;
};

/** Without this, what a handler throws closes the session. */
const answersErrors: Middleware = async (_message, _session, next) => {
  try {
    return await next();
  } catch (error) {
    return `error: ${(error as Error).message}`;
  }
};

const ignoresCase: Middleware = (message, _session, next) => next(Message.of(message.text.toLowerCase()));

const noComments: Middleware = (message, _session, next) => (message.text.startsWith('#') ? 'noted' : next());

const prices = new Map([['apple', 3]]);

const server = await serve({
  listen: 0,
  handler: compose(log, answersErrors, noComments, ignoresCase, async ({ text }) => {
    const price = prices.get(text);
    if (price === undefined) throw new Error(`no price of ${text}`);
    return String(price);
  }),
});

const client = await connect(server.addresses[0]);
for (const text of ['Apple', 'Pear', '# ripe?']) console.log((await client.request(text)).text);
await client.close();
await server.close();
