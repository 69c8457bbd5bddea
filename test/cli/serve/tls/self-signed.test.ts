import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSignedCertificate } from '../../../../src/cli/serve/tls/self-signed.ts';

const dayMs = 86_400_000;

test('a self-signed certificate covers all its names and is signed by its own key', () => {
  const { cert, key } = selfSignedCertificate(['localhost', '127.0.0.1', '::1', '2001:db8::ff:1'], dayMs);
  const certificate = new X509Certificate(cert);
  expect(certificate.subject).toBe('CN=localhost');
  expect(certificate.issuer).toBe('CN=localhost');
  expect(certificate.checkHost('localhost')).toBe('localhost');
  for (const address of ['127.0.0.1', '::1', '2001:db8::ff:1']) expect(certificate.checkIP(address)).toBe(address);
  expect(certificate.checkHost('example.org')).toBeUndefined();
  expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
});

test.each([1, 40 * 365])('a self-signed certificate is valid from now, for %i days', (days) => {
  const before = Math.floor(Date.now() / 1000) * 1000;
  const certificate = new X509Certificate(selfSignedCertificate(['localhost'], days * dayMs).cert);
  const from = Date.parse(certificate.validFrom);
  expect(from).toBeGreaterThanOrEqual(before);
  expect(from).toBeLessThanOrEqual(Date.now());
  expect(Date.parse(certificate.validTo)).toBe(from + days * dayMs);
});

test('a self-signed certificate may have many names', () => {
  const names = Array.from({ length: 100 }, (_, index) => `host-${index}.example.org`);
  const certificate = new X509Certificate(selfSignedCertificate(['localhost', ...names], dayMs).cert);
  expect(certificate.checkHost('host-99.example.org')).toBe('host-99.example.org');
});

test('self-signed certificates have different serial numbers', () => {
  const serials = Array.from({ length: 20 }, () => {
    const { serialNumber } = new X509Certificate(selfSignedCertificate(['localhost'], dayMs).cert);
    return serialNumber;
  });
  expect(new Set(serials).size).toBe(serials.length);
});
