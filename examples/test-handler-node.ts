// Tests handlers with the test runner of Node.js: node --test examples/test-handler-node.ts
import assert from 'node:assert';
import { test } from 'node:test';
import { json } from 'yodel';
import { message, testSession } from 'yodel/testing';
import counter from './counter.ts';

test('each client counts its own messages', async (t) => {
  const session = await testSession(counter);
  t.after(() => session.close());
  assert.equal(await session.next(), 'hello, what shall I count?');
  assert.deepEqual(await session.exchange('a', 'b', 'c'), ['1: a', '2: b', '3: c']);
});

test('half a message is none', async (t) => {
  const session = await testSession(counter, { network: { chunkSize: 1 } }); // as a slow network does it
  t.after(() => session.close());
  session.peer.write('hel');
  await session.idle();
  assert.deepEqual(session.unread, ['hello, what shall I count?']);
  assert.equal(await session.say('lo'), '1: hello');
});

test('values go in and out', async (t) => {
  const codec = json<{ amount: number }, { accepted: boolean }>();
  const session = await testSession(({ amount }) => ({ accepted: amount < 100 }), { codec });
  t.after(() => session.close());
  assert.deepEqual(await session.say({ amount: 3 }), { accepted: true });
  const refused = await session.say(message('no JSON'));
  assert.match(JSON.stringify(refused), /not JSON/);
});

test('a client that breaks off is no error of the handler', async () => {
  const codes: (string | undefined)[] = [];
  const session = await testSession({ close: (_, error) => void codes.push(error?.code) });
  await session.abort();
  assert.deepEqual(codes, ['YODEL_CONNECTION_RESET']);
  await session.close();
});
