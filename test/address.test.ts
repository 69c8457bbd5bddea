import { describe, expect, test } from 'vitest';
import {
  defaultAddress,
  ExecAddress,
  formatPeer,
  parseAddress,
  TcpAddress,
  TlsAddress,
  UnixAddress,
  WebSocketAddress,
} from '../src/address.ts';
import { YodelError } from '../src/errors.ts';
import { fc } from './support/fast-check.ts';

describe('an address', () => {
  test.each([
    ['tcp://127.0.0.1:7878', 'tcp://127.0.0.1:7878'],
    ['tcp://example.org:80', 'tcp://example.org:80'],
    ['tcp://example.org', 'tcp://example.org:7878'],
    ['tcp://example.org:80/', 'tcp://example.org:80'],
    ['TCP://example.org:80', 'tcp://example.org:80'],
    ['tcp://[::1]:80', 'tcp://[::1]:80'],
    ['tcp://[::1]', 'tcp://[::1]:7878'],
    ['tcp://:80', 'tcp://127.0.0.1:80'],
    ['example.org:80', 'tcp://example.org:80'],
    ['example.org', 'tcp://example.org:7878'],
    ['192.0.2.1:65535', 'tcp://192.0.2.1:65535'],
    ['[::1]:80', 'tcp://[::1]:80'],
    ['[fe80::1%eth0]:80', 'tcp://[fe80::1%eth0]:80'],
    ['[::1]', 'tcp://[::1]:7878'],
    [':80', 'tcp://127.0.0.1:80'],
    ['80', 'tcp://127.0.0.1:80'],
    ['0', 'tcp://127.0.0.1:0'],
    [' localhost:80\n', 'tcp://localhost:80'],
    ['unix:///run/app.sock', 'unix:///run/app.sock'],
    ['unix:/run/app.sock', 'unix:///run/app.sock'],
    ['unix://app.sock', 'unix://app.sock'],
    ['unix:app.sock', 'unix://app.sock'],
    ['UNIX:///run/App.sock', 'unix:///run/App.sock'],
    ['unix:///run/my app.sock', 'unix:///run/my app.sock'],
    ['tls://example.org', 'tls://example.org:7878'],
    ['TLS://[::1]:443/', 'tls://[::1]:443'],
    ['ws://example.org', 'ws://example.org:80/'],
    ['wss://example.org', 'wss://example.org:443/'],
    ['ws://:8080/chat?room=1', 'ws://127.0.0.1:8080/chat?room=1'],
    ['ws://[::1]:8080?x', 'ws://[::1]:8080/?x'],
    ['WSS://Example.org:1/Path', 'wss://Example.org:1/Path'],
    ['exec:sort', 'exec:sort'],
    ["exec:  sh -c 'a: b://c' ", "exec:sh -c 'a: b://c'"],
    ['EXEC:./Server --port 1', 'exec:./Server --port 1'],
  ])('can be written as "%s"', (text, address) => {
    expect(String(parseAddress(text))).toBe(address);
  });

  test('can be a port number', () => {
    expect(parseAddress(80)).toEqual(new TcpAddress('127.0.0.1', 80));
    expect(parseAddress(0)).toEqual(new TcpAddress('127.0.0.1', 0));
    expect(parseAddress(65_535)).toEqual(new TcpAddress('127.0.0.1', 65_535));
  });

  test('defaults to port 7878 of this machine', () => {
    expect(String(defaultAddress)).toBe('tcp://127.0.0.1:7878');
  });

  test('keeps an IPv6 host without its brackets', () => {
    expect(parseAddress('[2001:db8::1]:80')).toEqual(new TcpAddress('2001:db8::1', 80));
  });

  test('is its text in JSON', () => {
    expect(JSON.stringify([new TcpAddress('::1', 80), new UnixAddress('/run/app.sock')])).toBe(
      '["tcp://[::1]:80","unix:///run/app.sock"]',
    );
  });

  test('of a peer has a short form in the log', () => {
    expect(formatPeer(new TcpAddress('127.0.0.1', 51_234))).toBe('127.0.0.1:51234');
    expect(formatPeer(new TcpAddress('::1', 51_234))).toBe('[::1]:51234');
    expect(formatPeer(new UnixAddress('/run/app.sock'))).toBe('unix:/run/app.sock');
    expect(formatPeer(new ExecAddress('sort -n'))).toBe('exec:sort -n');
  });
});

test('a program has a command', () => {
  expect(parseAddress('exec:sort -n')).toEqual(new ExecAddress('sort -n'));
  expect(() => parseAddress('exec: ')).toThrow('invalid address "exec:": the command is missing');
});

describe('a text that is not an address is refused', () => {
  const refusal = (text: string | number) => {
    try {
      return `read as ${parseAddress(text)}`;
    } catch (error) {
      expect(error).toMatchObject({ name: 'YodelError', code: 'YODEL_INVALID_ADDRESS' });
      return (error as Error).message;
    }
  };

  test.each([
    ['70000', 'the port 70000 is above 65535'],
    ['localhost:65536', 'the port 65536 is above 65535'],
    [70_000, 'the port 70000 is above 65535'],
    [-1, 'the port "-1" is not a number from 0 to 65535'],
    [1.5, 'the port "1.5" is not a number from 0 to 65535'],
    [Number.NaN, 'the port "NaN" is not a number from 0 to 65535'],
    ['localhost:-1', 'the port "-1" is not a number from 0 to 65535'],
    ['localhost:http', 'the port "http" is not a number from 0 to 65535'],
    ['localhost:0x50', 'the port "0x50" is not a number from 0 to 65535'],
    ['localhost:', 'the port "" is not a number from 0 to 65535'],
    ['localhost: 80', 'the port " 80" is not a number from 0 to 65535'],
    ['[::1]:http', 'the port "http" is not a number from 0 to 65535'],
    ['tcp://localhost:80/path', 'the port "80/path" is not a number from 0 to 65535'],
  ])('"%s": %s', (text, why) => {
    expect(refusal(text)).toBe(`invalid address "${text}": ${why}. Example: 127.0.0.1:7878`);
  });

  test.each(['-1', 'my host:80', 'localhost 80', 'user@host:80', 'host/path', '/run/app.sock', 'tcp://host/path'])(
    '"%s": the host is not a name or an IP address',
    (text) => {
      expect(refusal(text)).toBe(
        `invalid address "${text}": the host is not a name or an IP address. Example: 127.0.0.1:7878`,
      );
    },
  );

  test.each(['::1', '::', '2001:db8::1', 'tcp://::1', 'tcp://::1:80'])(
    '"%s": an IPv6 address needs brackets',
    (text) => {
      expect(refusal(text)).toBe(`invalid address "${text}": an IPv6 address needs brackets. Example: [::1]:7878`);
    },
  );

  test('"gopher://localhost:70": there is no such scheme', () => {
    expect(refusal('gopher://localhost:70')).toBe(
      'invalid address "gopher://localhost:70": unknown scheme "gopher". ' +
        'Example: tcp://127.0.0.1:7878, tls://example.org:7878, ws://127.0.0.1:8080/chat or unix:///run/app.sock',
    );
  });

  test.each(['ws://localhost/a b', 'wss://localhost/#here'])('"%s": the path has a space or a "#"', (text) => {
    expect(refusal(text)).toBe(
      `invalid address "${text}": the path has a space or a "#". Example: ws://127.0.0.1:8080/chat`,
    );
  });

  test.each(['', 'tcp://', 'tls://', 'tcp:///', 'ws://', 'wss://', 'ws:///chat', 'ws://?room=1'])(
    '"%s": the host and the port are missing, as with a setting that is empty',
    (text) => {
      expect(refusal(text)).toBe(
        `invalid address "${text}": the host and the port are missing. Example: 127.0.0.1:7878`,
      );
    },
  );

  test.each(['unix:', 'unix://'])('"%s": the path is missing', (text) => {
    expect(refusal(text)).toBe(`invalid address "${text}": the path is missing. Example: unix:///run/app.sock`);
  });

  test.each([
    ['of ASCII', `/${'x'.repeat(107)}`],
    ['of longer characters', `/${'é'.repeat(54)}`],
  ])('a Unix path %s that is too long for a socket', (_, path) => {
    expect(refusal(`unix://${path}`)).toBe(
      `invalid address "unix://${path}": a socket path has at most 107 bytes. Example: unix:///run/app.sock`,
    );
  });

  test('a Unix path of the maximum length is accepted', () => {
    const path = `/${'x'.repeat(106)}`;
    expect(parseAddress(`unix://${path}`)).toEqual(new UnixAddress(path));
  });
});

describe('every address', () => {
  const port = fc.nat(65_535);
  const tcp = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()).chain((host) => port.map((at) => new TcpAddress(host, at)));
  const tls = tcp.map(({ host, port: at }) => new TlsAddress(host, at));
  const webSocket = fc
    .tuple(fc.constantFrom('ws' as const, 'wss' as const), tcp, fc.webPath())
    .map(([scheme, { host, port: at }, route]) => new WebSocketAddress(scheme, host, at, `/${route}`));
  const path = fc.stringMatching(/^\/[ -~é€]{0,30}[!-~]$/).filter((text) => Buffer.byteLength(text) <= 107);
  const unix = path.map((text) => new UnixAddress(text));

  test('is parsed from its own text', () => {
    fc.assert(
      fc.property(fc.oneof(tcp, tls, webSocket, unix), (address) => {
        expect(parseAddress(String(address))).toEqual(address);
      }),
    );
  });

  test('with the scheme tcp is also parsed from HOST:PORT', () => {
    fc.assert(
      fc.property(tcp, (address) => {
        expect(parseAddress(formatPeer(address))).toEqual(address);
      }),
    );
  });

  test('is parsed or refused with a reason, for any text', () => {
    const scrap = fc.constantFrom(
      'tcp://',
      'tls://',
      'ws://',
      'unix:',
      '//',
      '/',
      ':',
      '[',
      ']',
      '::',
      '80',
      '-',
      ' ',
      'a',
      '\n',
      '\0',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(scrap, { maxLength: 8 }).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          const address = parseAddress(any);
          expect(parseAddress(String(address))).toEqual(address);
        } catch (error) {
          if (!(error instanceof YodelError)) throw error;
          expect(error.code).toBe('YODEL_INVALID_ADDRESS');
          expect(error.message).toContain(any.trim());
        }
      }),
      { numRuns: 2000 },
    );
  });
});
