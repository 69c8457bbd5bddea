/** The header of the PROXY protocol: what the specification allows, and nothing else. */

import { describe, expect, it, test } from 'vitest';
import { type ProxyHeader, readProxyHeader } from '../../src/transport/proxy-header.ts';
import { fc } from '../support/fast-check.ts';

const text = (line: string) => Buffer.from(line, 'latin1');
const signature = '\r\n\r\n\0\r\nQUIT\n';

/** A header of version 2. */
function binary(command: number, familyAndProtocol: number, body: Uint8Array): Buffer<ArrayBuffer> {
  const fixed = Buffer.from([0x20 | command, familyAndProtocol, body.length >> 8, body.length & 255]);
  return Buffer.concat([text(signature), fixed, body]);
}

function ipv4Body(source: readonly number[], port: number, more = Buffer.alloc(0)): Buffer<ArrayBuffer> {
  return Buffer.concat([Buffer.from([...source, 10, 0, 0, 1, port >> 8, port & 255, 0, 80]), more]);
}

function tlv(kind: number, value: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.concat([Buffer.from([kind, value.length >> 8, value.length & 255]), value]);
}

function shown(header: ProxyHeader | undefined): string | undefined {
  return header && `${header.size} ${header.peer}`;
}

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 192.0.2.7 10.0.0.1 51234 7878\r\n', '42 tcp://192.0.2.7:51234'],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', '56 tcp://255.255.255.255:65535'],
    ['PROXY TCP6 2001:db8::7 ::1 51234 7878\r\n', '39 tcp://[2001:db8::7]:51234'],
    ['PROXY UNKNOWN\r\n', '15 undefined'],
    ['PROXY UNKNOWN ffff:f...f:ffff anything 65535\r\n', '46 undefined'],
  ])('%j is accepted', (line, expected) => {
    expect(shown(readProxyHeader(text(line)))).toBe(expected);
    expect(shown(readProxyHeader(text(`${line}hello\n`)))).toBe(expected);
  });

  test.each([
    'PROXY TCP4 999.0.2.1 10.0.0.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 99999 80\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 080 80\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n',
    'PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n',
    'PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n',
    'PROXY TCP6 192.0.2.7 ::1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY tcp4 192.0.2.7 10.0.0.1 1 2\r\n',
    'PROXY TCP4 192.0.2.7 10.0.0.1 1 2\n\r\n',
    'PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n',
    'PROXY  UNKNOWN\r\n',
    'PROXYTCP4\r\n',
    'PING\r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}`,
  ])('%j is refused', (line) => {
    expect(() => readProxyHeader(text(line))).toThrow(expect.objectContaining({ code: 'YODEL_INVALID_PROXY_HEADER' }));
  });

  it('accepts no longer line than the specification allows', () => {
    const longest = `PROXY UNKNOWN ${'x'.repeat(107 - 16)}\r\n`;
    expect(shown(readProxyHeader(text(longest)))).toBe('107 undefined');
    expect(() => readProxyHeader(text(longest.replace('x', 'xx')))).toThrow('no CRLF within 107 bytes');
  });
});

describe('version 2', () => {
  it('names the client', () => {
    expect(shown(readProxyHeader(binary(1, 0x11, ipv4Body([192, 0, 2, 7], 51_234))))).toBe('28 tcp://192.0.2.7:51234');
  });

  test.each([
    ['20010db8000000000000000000000007', '2001:db8::7'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000000000000000', '::'],
    ['20010db8000100000000000000000000', '2001:db8:1::'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['00010000000000020000000000000003', '1:0:0:2::3'],
    ['ffffffffffffffffffffffffffffffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('the IPv6 address %s is %s', (hex, address) => {
    const body = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(16), Buffer.from([0, 7, 0, 80])]);
    expect(shown(readProxyHeader(binary(1, 0x21, body)))).toBe(`52 tcp://[${address}]:7`);
  });

  it('an IPv4-mapped IPv6 address is an IPv4 address', () => {
    const mapped = Buffer.from('00000000000000000000ffffc0000207', 'hex');
    const body = Buffer.concat([mapped, Buffer.alloc(16), Buffer.from([0, 7, 0, 80])]);
    expect(shown(readProxyHeader(binary(1, 0x21, body)))).toBe('52 tcp://192.0.2.7:7');
  });

  test.each([
    ['LOCAL, as health checks send it', binary(0, 0x00, Buffer.alloc(0)), '16 undefined'],
    ['LOCAL with an address, which is to be ignored', binary(0, 0x11, ipv4Body([192, 0, 2, 7], 1)), '28 undefined'],
    ['LOCAL with something else', binary(0, 0x11, Buffer.from('abc')), '19 undefined'],
    ['an unspecified family', binary(1, 0x00, Buffer.alloc(0)), '16 undefined'],
    ['a Unix socket', binary(1, 0x31, Buffer.alloc(216)), '232 undefined'],
    ['datagrams', binary(1, 0x12, ipv4Body([192, 0, 2, 7], 1)), '28 undefined'],
  ])('%s', (_, header, expected) => {
    expect(shown(readProxyHeader(header))).toBe(expected);
  });

  it('skips TLVs, and checks that they fill the header', () => {
    const tlvs = Buffer.concat([tlv(0x01, text('h2')), tlv(0x04, Buffer.alloc(3))]);
    const header = binary(1, 0x11, ipv4Body([192, 0, 2, 7], 1, tlvs));
    expect(shown(readProxyHeader(header))).toBe('39 tcp://192.0.2.7:1');
    const cut = binary(1, 0x11, ipv4Body([192, 0, 2, 7], 1, tlvs.subarray(0, -1)));
    expect(() => readProxyHeader(cut)).toThrow('a TLV is truncated');
  });

  it('checks the checksum', () => {
    const header = binary(1, 0x11, ipv4Body([192, 0, 2, 7], 51_234, tlv(0x03, Buffer.alloc(4))));
    header.writeUInt32BE(checksumOf(header), header.length - 4);
    expect(shown(readProxyHeader(header))).toBe('35 tcp://192.0.2.7:51234');
    header[header.length - 1] = (header.at(-1) as number) ^ 1;
    expect(() => readProxyHeader(header)).toThrow('its checksum is wrong');
  });

  test.each([
    ['another version', Buffer.concat([text(signature), Buffer.from([0x11, 0x11, 0, 0])]), 'its version is 1'],
    ['another command', binary(2, 0x11, ipv4Body([1, 2, 3, 4], 1)), 'its command is 2'],
    ['another family', binary(1, 0x41, Buffer.alloc(12)), 'its family or protocol'],
    ['another protocol', binary(1, 0x13, Buffer.alloc(12)), 'its family or protocol'],
    ['too few bytes for its addresses', binary(1, 0x11, Buffer.alloc(11)), 'too short for its addresses'],
    ['too many bytes', binary(1, 0x11, Buffer.alloc(5000)), 'more than 4096'],
    ['another signature', text('\r\n\r\n\0\r\nQUIT\r'), 'it has no signature of version 1 or 2'],
    ['TLS', Buffer.from([0x16, 0x03, 0x01]), 'it has no signature of version 1 or 2'],
  ])('%s is refused', (_, header, expectedReason) => {
    expect(() => readProxyHeader(header)).toThrow(expectedReason);
  });
});

const port = fc.nat(65_535);
const byte = fc.nat(255);
const headers = fc.oneof(
  fc
    .tuple(byte, byte, byte, byte, port, port)
    .map(([a, b, c, d, from, to]) => text(`PROXY TCP4 ${a}.${b}.${c}.${d} 127.0.0.1 ${from} ${to}\r\n`)),
  fc.tuple(fc.tuple(byte, byte, byte, byte), port).map(([source, from]) => binary(1, 0x11, ipv4Body(source, from))),
  fc.tuple(fc.uint8Array({ minLength: 36, maxLength: 36 })).map(([body]) => binary(1, 0x21, Buffer.from(body))),
);

test('every header is parsed the same however it is split, and whatever follows it', () => {
  fc.assert(
    fc.property(headers, fc.uint8Array({ maxLength: 40 }), fc.nat(), (header, behind, cut) => {
      const whole = Buffer.concat([header, behind]);
      expect(readProxyHeader(whole)?.size).toBe(header.length);
      expect(readProxyHeader(whole.subarray(0, cut % header.length))).toBeUndefined();
    }),
  );
});

test('a header with one changed byte is another header or an error, never a crash', () => {
  fc.assert(
    fc.property(headers, fc.nat(), byte, (header, at, value) => {
      const changed = Buffer.from(header);
      changed[at % header.length] = value;
      try {
        const read = readProxyHeader(changed);
        if (read) expect(read.size).toBeLessThanOrEqual(changed.length);
      } catch (error) {
        expect(error).toMatchObject({ code: 'YODEL_INVALID_PROXY_HEADER' });
      }
    }),
    { numRuns: 2000 },
  );
});

test('the checksum of the tests is CRC-32C', () => {
  // The check value of CRC-32/ISCSI in the catalogue of parametrised CRC algorithms.
  expect(checksumOf(text('123456789'))).toBe(0xe306_9283);
});

/** CRC-32C by definition: the remainder of a polynomial division, most significant bit first. */
function checksumOf(bytes: Buffer): number {
  const reversed = (value: number, bits: number) =>
    Number.parseInt(value.toString(2).padStart(bits, '0').split('').reverse().join(''), 2);
  let remainder = 0xffff_ffff;
  for (const each of bytes) {
    remainder = (remainder ^ (reversed(each, 8) << 24)) >>> 0;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 0x8000_0000 ? ((remainder << 1) ^ 0x1edc_6f41) >>> 0 : (remainder << 1) >>> 0;
    }
  }
  return reversed((remainder ^ 0xffff_ffff) >>> 0, 32);
}
