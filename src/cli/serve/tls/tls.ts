/** The TLS flags of `yodel serve`: reads certificates and keys. */
import { statSync } from 'node:fs';
import type { Address } from '../../../address.ts';
import type { CertificateAndKey, ServerTls } from '../../../transport/transport.ts';
import { UsageError } from '../../fail.ts';
import { readFile } from '../../files.ts';

/** The values of the flags. */
interface TlsFlags {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly clientCa?: string | undefined;
  readonly sni?: readonly string[] | undefined;
  readonly alpn?: string | undefined;
  readonly tlsSelfSigned?: boolean | undefined;
}

/** Certificates from files, or a self-signed one. */
export interface Certificates {
  readonly tls: ServerTls;
  /** The files they were read from; none for a self-signed certificate. */
  readonly files: readonly string[];
  /** The SHA-256 fingerprint of a self-signed certificate, as clients show it. */
  readonly fingerprint: string | undefined;
}

/**
 * Reads the files that the flags name. Undefined if no address needs TLS.
 *
 * @param options whether a transcript is served, whose `@starttls` may need the certificate
 * @throws UsageError if a file cannot be read, others can read a key, or flags and addresses contradict each other
 */
export async function readServerTls(
  given: Readonly<Record<string, unknown>>,
  addresses: readonly Address[],
  { isTranscript = false }: { readonly isTranscript?: boolean } = {},
): Promise<Certificates | undefined> {
  const flags = withAliases(given);
  const secure = addresses.find(({ scheme }) => scheme === 'tls' || scheme === 'wss');
  const givenFlag = Object.entries(flags).find(([, value]) => value !== undefined)?.[0];
  if (!secure) {
    // A listener without TLS must not be mistaken for a protected one.
    if (givenFlag && !isTranscript)
      throw new UsageError(`${spelled(givenFlag)} needs a tls:// or wss:// address: --listen tls://…`);
    return undefined;
  }
  const { tlsSelfSigned, cert } = flags;
  if (tlsSelfSigned && cert !== undefined) throw new UsageError('--tls-self-signed and --cert cannot be used together');
  if (tlsSelfSigned) return await makeCertificates(flags);
  if (cert === undefined) {
    throw new UsageError(`${secure} needs --cert and --key, or --tls-self-signed for testing`);
  }
  return readCertificates(flags, cert);
}

/** The certificate for `@starttls` of a transcript: that of the flags, else a self-signed one. @throws UsageError */
export async function mockCertificates(given: Readonly<Record<string, unknown>>): Promise<ServerTls> {
  const flags = withAliases(given);
  const { tls } = flags.cert === undefined ? await makeCertificates(flags) : readCertificates(flags, flags.cert);
  return tls;
}

function withAliases(given: Readonly<Record<string, unknown>>): TlsFlags {
  const { cert, key, clientCa, sni, alpn, tlsSelfSigned, sslCert, sslKey, sslTrustfile, sslAlpn } = given as Record<
    string,
    string | undefined
  >;
  return {
    cert: cert ?? sslCert,
    key: key ?? sslKey,
    clientCa: clientCa ?? sslTrustfile,
    sni: sni as readonly string[] | undefined,
    alpn: alpn ?? sslAlpn,
    tlsSelfSigned: tlsSelfSigned as boolean | undefined,
  };
}

function spelled(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function readCertificates(flags: TlsFlags, cert: string): Certificates {
  const { key = cert, clientCa, sni = [] } = flags;
  const names = sni.map((text) => {
    const [, name, certFile = '', keyFile = certFile] = /^([^=]+)=([^,]+)(?:,(.+))?$/.exec(text) ?? [];
    if (name === undefined) throw new UsageError(`cannot read --sni "${text}": write example.org=cert.pem,key.pem`);
    return { name, certFile, keyFile };
  });
  const tls: ServerTls = {
    ...readPair(cert, key),
    ...common(flags),
    sni: Object.fromEntries(names.map(({ name, certFile, keyFile }) => [name, readPair(certFile, keyFile)])),
  };
  const files = [cert, key, ...names.flatMap(({ certFile, keyFile }) => [certFile, keyFile])];
  return { tls, files: [...new Set(clientCa === undefined ? files : [...files, clientCa])], fingerprint: undefined };
}

function common({ clientCa, alpn }: TlsFlags): Pick<ServerTls, 'clientCa' | 'alpn'> {
  const protocols = alpn?.split(',').map((name) => name.trim());
  if (protocols?.some((name) => name === '' || name.length > 255)) {
    throw new UsageError(`cannot read --alpn "${alpn}": write the protocols' names with commas, such as chat/2,chat/1`);
  }
  return { clientCa: clientCa === undefined ? undefined : readAuthorities(clientCa), alpn: protocols };
}

function readAuthorities(file: string): string {
  const text = readFile(file);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`there is no certificate (PEM) in ${file}`);
  return text;
}

function readPair(certFile: string, keyFile: string): CertificateAndKey {
  const cert = readFile(certFile);
  const key = readFile(keyFile);
  if (!cert.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError(`there is no certificate (PEM) in ${certFile}`);
  if (!key.includes('PRIVATE KEY-----')) {
    const hint = certFile === keyFile ? '; name the key with --key' : '';
    throw new UsageError(`there is no private key (PEM) in ${keyFile}${hint}`);
  }
  refuseOpenKey(keyFile);
  return { cert, key };
}

/** Only the owner may read a key, or if root owns it, its group: the rule of PostgreSQL. */
function refuseOpenKey(keyFile: string): void {
  const { mode, uid } = statSync(keyFile);
  const others = mode & (uid === 0 ? 0o037 : 0o077);
  if (others === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw new UsageError(`others can read the private key ${keyFile} (mode ${shown}): chmod 600 ${keyFile}`);
}

/** A self-signed certificate for this machine. A client can verify it only by its fingerprint. */
async function makeCertificates(flags: TlsFlags): Promise<Certificates> {
  const { fingerprintOf, selfSignedCertificate } = await import('./self-signed.ts');
  const pair = selfSignedCertificate(['localhost', '127.0.0.1', '::1'], 30 * 86_400_000);
  return { tls: { ...pair, ...common(flags) }, files: [], fingerprint: fingerprintOf(pair.cert) };
}
