import { expect, test } from 'vitest';
import { parseRequestHead } from '../../src/metrics/http-request.ts';

function parse(lines: readonly string[], maxBody = 100) {
  return parseRequestHead(lines.join('\r\n'), maxBody);
}

test('a request has a method, a path without its query, headers and the length of its body', () => {
  expect(parse(['POST /faults?x=/y HTTP/1.1', 'Host: a', 'Content-Length: 7', 'Expect: 100-Continue'])).toEqual({
    method: 'POST',
    path: '/faults',
    headers: new Map([
      ['host', 'a'],
      ['content-length', '7'],
      ['expect', '100-Continue'],
    ]),
    bodyLength: 7,
    awaitsContinue: true,
  });
  expect(parse(['GET / HTTP/1.0'])).toMatchObject({ method: 'GET', path: '/', bodyLength: 0, awaitsContinue: false });
});

test.each([
  [400, ['GET /']],
  [400, ['get / HTTP/1.1', 'Host: a']],
  [400, ['GET  / HTTP/1.1', 'Host: a']],
  [400, ['GET / HTTP/2.0', 'Host: a']],
  [400, ['GET http://a/ HTTP/1.1', 'Host: a']],
  [400, ['GET / HTTP/1.1']],
  [400, ['GET / HTTP/1.1', 'Host: a', 'Host: b']],
  [400, ['GET / HTTP/1.1', 'Host: a', ' folded']],
  [400, ['GET / HTTP/1.1', 'Host : a']],
  [400, ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Content-Length: 1']],
  [400, ['GET / HTTP/1.1', 'Host: a', 'Content-Length: -1']],
  [400, ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 1e1']],
  [411, ['GET / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked']],
  [411, ['GET / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 1']],
  [413, ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 101']],
])('%i: %j', (status, lines) => {
  expect(parse(lines)).toMatchObject({ status, hint: expect.stringMatching(/./) });
});

test('where no body is allowed, any is refused', () => {
  expect(parse(['GET / HTTP/1.1', 'Host: a', 'Content-Length: 1'], 0)).toMatchObject({ status: 413 });
  expect(parse(['GET / HTTP/1.1', 'Host: a', 'Content-Length: 0'], 0)).toMatchObject({ bodyLength: 0 });
});
