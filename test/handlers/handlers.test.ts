import { describe, expect, it } from 'vitest';
import { discard } from '../../src/handlers/discard.ts';
import { echo } from '../../src/handlers/echo.ts';
import { handlersByName } from '../../src/handlers/handlers.ts';
import { resolveHandler } from '../../src/session/handler.ts';
import { converse } from '../session/scene.ts';

describe('echo', () => {
  it('sends every message back', async () => {
    const { peer, session } = await converse({ handler: echo });
    expect(await peer.says('a\nb\r\n\n')).toBe('a\nb\r\n\n');
    expect(session.messagesSent).toBe(3);
  });

  it('is what a server does when nothing else is said', async () => {
    const { peer } = await converse();
    expect(await peer.says('a\n')).toBe('a\n');
  });
});

describe('discard', () => {
  it('takes every message and answers none', async () => {
    const { peer, session } = await converse({ handler: discard });
    expect(await peer.says('a\nb\n'.repeat(1000))).toBe('');
    expect(session.messagesReceived).toBe(2000);
    expect(await peer.ends()).toBe('');
    expect(peer.closed).toBe(true);
  });
});

describe('the handlers that have a name', () => {
  it('are these', () => {
    expect(Object.keys(handlersByName)).toEqual(['echo', 'discard', 'time', 'chargen']);
    expect(handlersByName.echo?.handler).toBe(echo);
    expect(handlersByName.discard?.handler).toBe(discard);
  });

  it.each(Object.entries(handlersByName))('%s is a handler, and says what it does', (_, { handler, summary }) => {
    expect(resolveHandler(handler)).toBe(handler);
    expect(summary).toMatch(/^[a-z].*[^.]$/);
  });
});
