import { expect, test } from 'vitest';
import { PausableReceiver } from '../../src/transport/pausable-receiver.ts';

/** A receiver that records its events, and the connection's side of it. */
function pausable(isPaused = false, early?: Uint8Array[]) {
  const events: string[] = [];
  const inner = {
    onData: (chunk: Uint8Array) => void events.push(Buffer.from(chunk).toString()),
    onEnd: () => void events.push('end'),
    onDrain: () => void events.push('drain'),
    onClose: (error?: Error) => void events.push(error ? `close: ${error.message}` : 'close'),
  };
  const receiver = new PausableReceiver(inner, () => void events.push('resumed'), isPaused, true, early);
  return { receiver, events, inner };
}

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

test('events pass through', () => {
  const { receiver, events } = pausable();
  receiver.onData(Buffer.from('a'));
  receiver.onDrain();
  receiver.onEnd();
  receiver.onClose();
  expect(events).toEqual(['a', 'drain', 'end', 'close']);
});

test('what arrives while paused is copied, and delivered in order after the call to resume', async () => {
  const { receiver, events } = pausable();
  const borrowed = Buffer.from('a');
  receiver.pause();
  receiver.onData(borrowed);
  borrowed.write('x');
  receiver.onData(Buffer.from('b'));
  receiver.onEnd();
  receiver.onClose();
  receiver.resume();
  expect(events).toEqual([]);
  await soon();
  expect(events).toEqual(['a', 'b', 'end', 'close']);
});

test('what it keeps counts until it is delivered or dropped', async () => {
  const { inner } = pausable();
  let counted = 0;
  let recounted = 0;
  const keeper = {
    kept: (_: object, size: number) => {
      counted += size;
    },
    freed: (memory: object) => {
      counted -= (memory as ArrayBuffer).byteLength;
    },
    recount: () => {
      recounted = counted;
    },
  };
  const receiver = new PausableReceiver({ ...inner, keeper }, () => undefined, true, false, [new Uint8Array(10)]);
  expect(counted).toBe(10);
  receiver.onData(new Uint8Array(100));
  expect(recounted).toBe(110);
  receiver.resume();
  await soon();
  expect(counted).toBe(0);
  receiver.pause();
  receiver.onData(new Uint8Array(100));
  receiver.drop();
  expect(counted).toBe(0);
});

test('pausing again while chunks are delivered keeps the rest', async () => {
  const { receiver, events, inner } = pausable(false, [Buffer.from('a'), Buffer.from('b')]);
  inner.onData = (chunk) => {
    events.push(Buffer.from(chunk).toString());
    receiver.pause();
  };
  await soon();
  expect(events).toEqual(['a']);
  receiver.resume();
  await soon();
  expect(events).toEqual(['a', 'b']);
  receiver.resume();
  await soon();
  expect(events).toEqual(['a', 'b', 'resumed']);
});

test('a broken connection is reported at once, and nothing after it', async () => {
  const { receiver, events } = pausable(true);
  receiver.onData(Buffer.from('a'));
  receiver.onEnd();
  receiver.onClose(new Error('reset'));
  receiver.resume();
  await soon();
  expect(events.filter((event) => event !== 'resumed')).toEqual(['close: reset']);
});

test('after drop only the close is reported', async () => {
  const { receiver, events } = pausable(true);
  receiver.onData(Buffer.from('a'));
  receiver.drop();
  receiver.onClose();
  await soon();
  expect(events).toEqual(['close']);
});

test('a close that was kept is reported once when everything else is dropped', async () => {
  const { receiver, events } = pausable(true);
  receiver.onData(Buffer.from('a'));
  receiver.onEnd();
  receiver.onClose();
  receiver.drop();
  expect(events).toEqual([]);
  receiver.drop();
  await soon();
  expect(events).toEqual(['close']);
});

test('a close is reported once if the receiver drops everything when the peer ends', async () => {
  const { receiver, events, inner } = pausable(true);
  inner.onEnd = () => {
    events.push('end');
    receiver.drop();
  };
  receiver.onEnd();
  receiver.onClose();
  receiver.resume();
  await soon();
  expect(events).toEqual(['end', 'close']);
});
