/**
 * A self-signed certificate for trying out TLS: X.509 version 3 (RFC 5280) with a P-256 key, signed with ECDSA and SHA-256.
 *
 * Written by hand because `node:crypto` does all but encode the fields. The package `selfsigned` adds 700 KB from 31
 * packages to the bundle.
 */
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { CertificateAndKey } from '../../../transport/transport.ts';

/** DER tags (X.690). */
const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82,
  ipAddress: 0x87,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** Object identifiers, encoded. */
const commonName = objectIdentifier('550403'); // 2.5.4.3
const subjectAltName = objectIdentifier('551d11'); // 2.5.29.17
const ecdsaWithSha256 = sequence(objectIdentifier('2a8648ce3d040302')); // 1.2.840.10045.4.3.2

/**
 * Creates a key and a certificate for it, valid from now.
 *
 * @param names host names and IP addresses; the first is the subject
 * @param validMs how long it is valid, in milliseconds
 * @returns both as PEM
 */
export function selfSignedCertificate(names: readonly [string, ...string[]], validMs: number): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const subject = sequence(der(tags.set, sequence(commonName, der(tags.utf8String, Buffer.from(names[0])))));
  const altNames = sequence(subjectAltName, der(tags.octetString, sequence(...names.map(generalName))));
  const signed = sequence(
    der(tags.version, der(tags.integer, Buffer.of(2))), // counted from 0, so version 3
    der(tags.integer, serialNumber()),
    ecdsaWithSha256,
    subject, // the issuer
    sequence(time(now), time(now + validMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(tags.extensions, sequence(altNames)),
  );
  const certificate = sequence(signed, ecdsaWithSha256, bitString(sign('sha256', signed, privateKey)));
  const lines = certificate.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

/** The SHA-256 fingerprint of a certificate (PEM), as clients show it. */
export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256;
}

/** Positive and without leading zero bytes, as DER requires. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** Four digits for years from 2050, two before (RFC 5280, section 4.1.2.5). */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '');
  return digits < '2050'
    ? der(tags.utcTime, Buffer.from(digits.slice(2)))
    : der(tags.generalizedTime, Buffer.from(digits));
}

function generalName(name: string): Buffer {
  return isIP(name) ? der(tags.ipAddress, ipBytes(name)) : der(tags.dnsName, Buffer.from(name));
}

function ipBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = [], tail = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  const groups = [...head, ...zeros, ...tail];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function objectIdentifier(encoded: string): Buffer {
  return der(tags.objectIdentifier, Buffer.from(encoded, 'hex'));
}

/** Without unused bits. */
function bitString(bytes: Buffer): Buffer {
  return der(tags.bitString, Buffer.of(0), bytes);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(tags.sequence, ...parts);
}

/** A DER value: tag, length of the content, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthBytes(content.length), content]);
}

/** One byte below 128, otherwise the number of length bytes first. Certificates stay below 64 KiB. */
function lengthBytes(length: number): Buffer {
  if (length < 128) return Buffer.of(length);
  return length < 256 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
}
