import { describe, expect, it } from 'vitest';
import { UnixAddress } from '../../src/address.ts';
import { MessageConnection } from '../../src/client/message-connection.ts';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Connection, Receiver } from '../../src/transport/transport.ts';

const address = new UnixAddress('/server');

/** A connection that the test plays, and a message connection on it with what it reports. */
function open(properties: Partial<Connection> = {}) {
  const calls: string[] = [];
  let receiver: Receiver | undefined;
  const connection = {
    local: address,
    peer: address,
    chunksAreBorrowed: false,
    unsent: 0,
    start: (one: Receiver) => {
      receiver = one;
    },
    write: (bytes: Uint8Array) => void calls.push(`write ${Buffer.from(bytes)}`),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    end: () => void calls.push('end'),
    release: () => void calls.push('release'),
    abort: () => void calls.push('abort'),
    ...properties,
  };
  const received: string[] = [];
  const protocol = { framing: lines(), replyFraming: lines(), encoding: 'binary' } as const;
  const options = { maxMessageLength: 10, onTooLong: 'close', encoding: 'binary' } as const;
  const messages = new MessageConnection(connection, protocol, options, {
    onBatch: (batch) => {
      for (const message of batch) received.push(message.text);
      if (batch.fault) received.push(batch.fault.code);
    },
    onEnd: () => void received.push('end'),
    onClose: (error, unsent) => void received.push(`close ${error?.message} ${unsent}`),
  });
  return { messages, calls, received, connection, receiver: receiver as Receiver };
}

describe('a message connection', () => {
  it('sends messages of one turn in one write', async () => {
    const { messages, calls } = open();
    messages.send('one');
    messages.send('two');
    expect(calls).toEqual([]);
    await Promise.resolve();
    expect(calls).toEqual(['write one\ntwo\n']);
  });

  it('keeps the order of messages and frames', () => {
    const { messages, calls } = open();
    messages.send('one');
    messages.sendFrame(Buffer.from('two\n'));
    messages.send('three');
    messages.end();
    expect(calls).toEqual(['write one\n', 'write two\n', 'write three\n', 'end']);
  });

  it('reports a message unfinished at the end of the server, then the end', () => {
    const { received, receiver } = open();
    receiver.onData(Buffer.from('one\ntw'));
    receiver.onEnd();
    expect(received).toEqual(['one', 'tw', 'end']);
  });

  it('reports an invalid message', () => {
    const { received, receiver } = open();
    receiver.onData(Buffer.from('one\nmore than ten bytes\n'));
    expect(received).toEqual(['one', 'YODEL_MESSAGE_TOO_LONG']);
  });

  it('uses the framing of the connection, if it has one', async () => {
    const { messages, calls, received, receiver } = open({ framing: length({ bytes: 1 }) });
    receiver.onData(Buffer.from('\x07one\ntwo'));
    messages.send('three');
    await Promise.resolve();
    expect(received).toEqual(['one\ntwo']);
    expect(calls).toEqual(['write \x05three']);
  });

  it('pauses and resumes once', () => {
    const { messages, calls } = open();
    messages.resume();
    messages.pause();
    messages.pause();
    messages.resume();
    messages.resume();
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('counts buffered messages as unsent, and reports them lost when it closes', () => {
    const { messages, received, receiver } = open({ unsent: 5 });
    messages.send('one');
    expect(messages.unsent).toBe(9);
    receiver.onClose(new Error('reset'));
    expect(received).toEqual(['close reset 9']);
  });

  it('is drained when the operating system has taken everything, or when it is closed', async () => {
    const { messages, connection, receiver } = open({ unsent: 5 });
    let drained = 0;
    void messages.drained().then(() => drained++);
    receiver.onDrain();
    await Promise.resolve();
    expect(drained).toBe(0);
    connection.unsent = 0;
    receiver.onDrain();
    await Promise.resolve();
    expect(drained).toBe(1);
    connection.unsent = 5;
    void messages.drained().then(() => drained++);
    receiver.onClose();
    await messages.drained();
    expect(drained).toBe(2);
  });
});
