/** The flags of `yodel serve` for TLS: reads certificates and keys, and reads them again when they change. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Address } from '../../address.ts';
import type { CertificateAndKey, ServerTls } from '../../transport/transport.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';

/** How long files must be left alone before they are read again: a certificate and its key are two files. */
const quietMs = 200;

/** What they ask for. */
interface TlsFlags {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly clientCa?: string | undefined;
  readonly sni?: readonly string[] | undefined;
  readonly alpn?: string | undefined;
  readonly tlsSelfSigned?: boolean | undefined;
}

/** Certificates that come from files, or are made. */
export interface Certificates {
  readonly tls: ServerTls;
  /** The files they were read from; none when they were made. */
  readonly files: readonly string[];
  /** SHA-256 of the certificate that was made, as clients show it. */
  readonly fingerprint: string | undefined;
}

/**
 * Reads what the flags name. Undefined: nothing, and no address needs it.
 *
 * @throws UsageError when a file cannot be read, a key is open to others, or flags and addresses do not go together
 */
export async function readServerTls(
  given: Readonly<Record<string, unknown>>,
  addresses: readonly Address[],
): Promise<Certificates | undefined> {
  const flags = withAliases(given);
  const secure = addresses.find(({ scheme }) => scheme === 'tls' || scheme === 'wss');
  const asked = Object.entries(flags).find(([, value]) => value !== undefined)?.[0];
  if (!secure) {
    // Where TLS was asked for, an unprotected listener must not pass for a protected one.
    if (asked)
      throw new UsageError(`${spelled(asked)} is for tls:// and wss:// addresses, and none is given: --listen tls://…`);
    return undefined;
  }
  const { tlsSelfSigned, cert } = flags;
  if (tlsSelfSigned && cert !== undefined)
    throw new UsageError('--tls-self-signed makes a certificate, and --cert names one');
  if (tlsSelfSigned) return await makeCertificates(flags);
  if (cert === undefined) {
    throw new UsageError(`${secure} needs --cert and --key, or --tls-self-signed for a try`);
  }
  return readCertificates(flags, cert);
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

/** As PostgreSQL: nobody but the owner, or a group of root's choice. */
function refuseOpenKey(keyFile: string): void {
  const { mode, uid } = statSync(keyFile);
  const others = mode & (uid === 0 ? 0o037 : 0o077);
  if (others === 0) return;
  const shown = (mode & 0o777).toString(8).padStart(4, '0');
  throw new UsageError(`others can read the private key ${keyFile} (mode ${shown}): chmod 600 ${keyFile}`);
}

/** A certificate for this machine, for a try: a client can only check its fingerprint. */
async function makeCertificates(flags: TlsFlags): Promise<Certificates> {
  const { fingerprintOf, selfSignedCertificate } = await import('./self-signed.ts');
  const pair = selfSignedCertificate(['localhost', '127.0.0.1', '::1'], 30 * 86_400_000);
  return { tls: { ...pair, ...common(flags) }, files: [], fingerprint: fingerprintOf(pair.cert) };
}

/**
 * Calls `changed` when one of the files is another one, or has other content. Their folders are watched, for a certificate
 * is replaced by renaming.
 */
export function watchFiles(files: readonly string[], changed: () => void): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  const stir = (name: string | null, names: ReadonlySet<string>) => {
    // Certificates that are links into a folder of versions change with another name.
    if (name !== null && !names.has(name) && !name.startsWith('..')) return;
    clearTimeout(timer);
    timer = setTimeout(changed, quietMs);
  };
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    const names = new Set(files.filter((file) => dirname(file) === folder).map((file) => basename(file)));
    const watcher = watch(folder, (_event, name) => stir(name, names));
    // A folder that vanishes takes its watcher along; the certificates that are shown stay.
    watcher.on('error', () => watcher.close());
    watchers.push(watcher);
  }
  return {
    close() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
