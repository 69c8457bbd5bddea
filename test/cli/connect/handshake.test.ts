import { expect, test } from 'vitest';
import { TcpAddress, TlsAddress } from '../../../src/address.ts';
import { formatHandshake } from '../../../src/cli/connect/handshake.ts';
import type { Certificate, Handshake } from '../../../src/transport/transport.ts';

const now = Date.UTC(2026, 5, 15, 12);
const local = new TcpAddress('127.0.0.1', 40_000);
const remote = new TcpAddress('127.0.0.1', 7878);
const plain: Handshake = { local, remote, resolved: undefined, lookupMs: undefined, connectMs: 0.5 };

function validityOf(validFrom: string, validTo: string): string | undefined {
  const certificate: Certificate = {
    subject: 'CN=a.example',
    issuer: 'CN=Authority',
    names: ['a.example', '*.b.example'],
    validFrom: new Date(validFrom),
    validTo: new Date(validTo),
    fingerprint: 'AB:CD',
    subjectFields: {},
    issuerFields: {},
    alternativeNames: { dns: [], ip: [], uri: [], email: [] },
    serial: '1',
    raw: new Uint8Array(),
    pem: '',
  };
  const tls = {
    protocol: 'TLSv1.3',
    cipher: 'X',
    servername: undefined,
    alpn: 'h2',
    untrusted: undefined,
    certificate,
    tookMs: 3,
  };
  const lines = formatHandshake(new TlsAddress('127.0.0.1', 7878), { ...plain, tls }, now);
  expect(lines).toContain('TLS          TLSv1.3, X, SNI none, ALPN h2  3.00 ms');
  expect(lines).toContain('  issuer     CN=Authority');
  expect(lines).toContain('  names      a.example, *.b.example');
  expect(lines).toContain('  trusted    yes');
  return lines.find((line) => line.startsWith('  valid'))?.replace(/.*, /, '');
}

test('a certificate is valid for a number of days, not yet, or no longer', () => {
  expect(validityOf('2026-01-01', '2026-06-18')).toBe('2 days left');
  expect(validityOf('2026-01-01', '2026-06-15T18:00:00Z')).toBe('0 days left');
  expect(validityOf('2026-01-01', '2026-06-15')).toBe('expired');
  expect(validityOf('2026-06-16', '2026-07-01')).toBe('not valid yet');
});

test('a name shows what it stands for, or that its lookup is part of the time', () => {
  const name = new TcpAddress('host.example', 7878);
  const resolved = { ...plain, resolved: ['127.0.0.1', '::1'], lookupMs: 12 };
  expect(formatHandshake(name, resolved, now)).toEqual([
    'resolved     host.example: 127.0.0.1, ::1  12 ms',
    'connected    127.0.0.1:40000 -> 127.0.0.1:7878  0.50 ms',
  ]);
  expect(formatHandshake(name, plain, now)).toEqual([
    'connected    127.0.0.1:40000 -> 127.0.0.1:7878  0.50 ms, with the lookup of the name',
  ]);
  expect(formatHandshake(remote, plain, now)).toEqual(['connected    127.0.0.1:40000 -> 127.0.0.1:7878  0.50 ms']);
});
