import { describe, expect, test } from 'vitest';
import { errorCodes, systemError, YodelError } from '../src/errors.ts';

/** As the operating system's errors come from a runtime. */
function failure(code: string, message = `connect ${code} 127.0.0.1:7878`): Error {
  return Object.assign(new Error(message), { code });
}

describe('a failure of the operating system', () => {
  test.each([
    ['EADDRINUSE', 'YODEL_ADDRESS_IN_USE', 'the address is in use'],
    ['EADDRNOTAVAIL', 'YODEL_ADDRESS_NOT_AVAILABLE', 'this machine does not have that address'],
    ['EACCES', 'YODEL_PERMISSION_DENIED', 'permission denied'],
    ['EPERM', 'YODEL_PERMISSION_DENIED', 'permission denied'],
    ['ENOTFOUND', 'YODEL_HOST_NOT_FOUND', 'there is no host with that name'],
    ['EAI_AGAIN', 'YODEL_HOST_NOT_FOUND', 'the host name could not be looked up'],
    ['ECONNREFUSED', 'YODEL_CONNECTION_REFUSED', 'nothing listens there'],
    ['ENOENT', 'YODEL_CONNECTION_REFUSED', 'there is no such socket file'],
    ['ENOTSOCK', 'YODEL_CONNECTION_REFUSED', 'that file is not a socket'],
    ['ECONNRESET', 'YODEL_CONNECTION_RESET', 'the peer reset the connection'],
    ['EPIPE', 'YODEL_CONNECTION_RESET', 'the peer no longer accepts data'],
    ['ECONNABORTED', 'YODEL_CONNECTION_RESET', 'the connection was aborted'],
    ['ETIMEDOUT', 'YODEL_NETWORK', 'the peer does not answer'],
    ['EHOSTUNREACH', 'YODEL_NETWORK', 'the host cannot be reached'],
    ['ENETUNREACH', 'YODEL_NETWORK', 'the network cannot be reached'],
    ['EMFILE', 'YODEL_NETWORK', 'no file descriptors left'],
  ])('%s becomes %s and says: %s', (errno, code, says) => {
    const error = systemError('cannot connect to tcp://127.0.0.1:7878', failure(errno));
    expect(error).toBeInstanceOf(YodelError);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^cannot connect to tcp:\/\/127\.0\.0\.1:7878: /);
    expect(error.message).toContain(says);
  });

  test('has the original error as its cause', () => {
    const cause = failure('ECONNREFUSED');
    expect(systemError('cannot connect', cause).cause).toBe(cause);
    const unknown = failure('ESTRANGE');
    expect(systemError('cannot connect', unknown).cause).toBe(unknown);
  });

  test('with an unknown code becomes YODEL_NETWORK, with the message of the operating system', () => {
    const error = systemError('cannot connect', failure('ESTRANGE', 'something strange'));
    expect(error.code).toBe('YODEL_NETWORK');
    expect(error.message).toBe('cannot connect: something strange');
  });

  test.each([
    ['an error without a code', new Error('odd'), 'cannot connect: odd'],
    ['an error with a number for a code', Object.assign(new Error('odd'), { code: 111 }), 'cannot connect: odd'],
    ['a text', 'odd', 'cannot connect: odd'],
    ['null', null, 'cannot connect: null'],
    ['nothing', undefined, 'cannot connect: undefined'],
  ])('may be %s', (_, cause, message) => {
    const error = systemError('cannot connect', cause);
    expect(error.code).toBe('YODEL_NETWORK');
    expect(error.message).toBe(message);
    expect(error.cause).toBe(cause);
  });

  test('that is a YodelError is returned unchanged', () => {
    const error = new YodelError('YODEL_CONNECT_TIMEOUT', 'no connection within 10 s');
    expect(systemError('cannot connect', error)).toBe(error);
  });
});

describe('a host with several addresses that all fail', () => {
  const parts = [failure('ECONNREFUSED', 'connect ECONNREFUSED ::1:7878'), failure('ENETUNREACH')];

  test('has the code of the aggregate, if the runtime gives one', () => {
    const cause = Object.assign(new AggregateError(parts), { code: 'ETIMEDOUT' });
    const error = systemError('cannot connect', cause);
    expect(error.message).toContain('the peer does not answer');
    expect(error.cause).toBe(cause);
  });

  test('otherwise has the code of the first address', () => {
    const cause = new AggregateError(parts);
    const error = systemError('cannot connect', cause);
    expect(error.code).toBe('YODEL_CONNECTION_REFUSED');
    expect(error.cause).toBe(cause);
  });

  test('has the message of the first address if its code is unknown', () => {
    const error = systemError('cannot connect', new AggregateError([failure('ESTRANGE', 'something strange')]));
    expect(error.code).toBe('YODEL_NETWORK');
    expect(error.message).toBe('cannot connect: something strange');
  });

  test('has the message of the aggregate if it lists no errors', () => {
    const error = systemError('cannot connect', new AggregateError([], 'all attempts failed'));
    expect(error.message).toBe('cannot connect: all attempts failed');
  });
});

describe('a YodelError', () => {
  test('is an Error with a code, a message and a cause', () => {
    const cause = new Error('below');
    const error = new YodelError('YODEL_NETWORK', 'what happened', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('YodelError: what happened');
    expect(error.code).toBe('YODEL_NETWORK');
    expect(error.cause).toBe(cause);
    expect(error.stack).toContain('what happened');
  });

  test('has no cause if none is given', () => {
    expect('cause' in new YodelError('YODEL_NETWORK', 'what happened')).toBe(false);
  });

  test('may have a code of the program, and what the peer is told', () => {
    const error = new YodelError('APP_DENIED', 'ada may not write', { reply: 'you may not write' });
    expect(error).toMatchObject({ code: 'APP_DENIED', reply: 'you may not write' });
    expect('reply' in new YodelError('APP_DENIED', 'ada may not write')).toBe(false);
  });

  test('refuses an unknown code that begins with YODEL_, and suggests one', () => {
    expect(() => new YodelError('YODEL_REQUEST_TIMEOT', 'late')).toThrow(
      'yodel has no error code "YODEL_REQUEST_TIMEOT". Did you mean "YODEL_REQUEST_TIMEOUT"? The codes of your own errors must not begin with "YODEL_"',
    );
    expect(() => new YodelError('YODEL_', 'nothing like it')).toThrow(/has no error code "YODEL_"\. The codes/);
  });

  test.each([[''], ['two\nlines'], ['x'.repeat(101)], [undefined], [404], [{}]])('refuses the code %j', (code) => {
    expect(() => new YodelError(code as string, 'odd')).toThrow(
      /the code of an error is a text of 1 to 100 characters/,
    );
  });

  test('has a code that begins with YODEL_ and whose meaning is a sentence', () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^YODEL_[A-Z0-9_]+$/);
      expect(meaning).toMatch(/^[A-Z].*\.$/);
    }
  });
});
