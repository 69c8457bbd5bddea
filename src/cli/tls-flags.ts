/** The flags for TLS: whom to trust when connecting, and what to show when listening. */
import { type Command, Option } from 'commander';
import { type Address, TlsAddress } from '../address.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { UsageError } from './fail.ts';
import { readFile } from './files.ts';
import { envName, oneMore } from './flags.ts';

/** Adds them to a command that connects. */
export function addTlsFlags(command: Command): void {
  command
    .optionsGroup('TLS:')
    .addOption(
      new Option('--cacert <file>', 'trust the authorities in this PEM file, and no others').env(envName('cacert')),
    )
    .addOption(new Option('--servername <name>', "the name in the server's certificate (default: the host)"))
    .addOption(new Option('--insecure', 'take any certificate: whoever answers may be somebody else'))
    .addOption(
      new Option('--cert <file>', 'a certificate to show to servers that ask for one (PEM)').env(
        envName('client-cert'),
      ),
    )
    .addOption(
      new Option('--key <file>', 'its private key (PEM; default: in the file of --cert)').env(envName('client-key')),
    )
    // What netcat users type. A server's certificate is checked in any case.
    .addOption(new Option('--ssl').hideHelp())
    .addOption(new Option('--ssl-verify').hideHelp())
    .addOption(new Option('--ssl-trustfile <file>').hideHelp())
    .addOption(new Option('--ssl-servername <name>').hideHelp())
    .addOption(new Option('--ssl-cert <file>').hideHelp())
    .addOption(new Option('--ssl-key <file>').hideHelp());
}

/**
 * What they say about connecting to `address`.
 *
 * @throws UsageError when the file cannot be read, or the address has no TLS
 */
export function readTlsFlags(flags: Readonly<Record<string, unknown>>, address: Address): TlsOptions {
  const given = flags as Readonly<Record<string, string | undefined>>;
  const cacert = given.cacert ?? given.sslTrustfile;
  const servername = given.servername ?? given.sslServername;
  const cert = given.cert ?? given.sslCert;
  const key = given.key ?? given.sslKey;
  const insecure = flags.insecure === true;
  const isSecure = address.scheme === 'tls' || address.scheme === 'wss';
  // Where a certificate was asked for, an unprotected connection must not pass for a protected one.
  const [asked] = [servername && '--servername', insecure && '--insecure', flags.cert && '--cert'].filter(Boolean);
  if (asked && !isSecure) throw new UsageError(`${asked} is for tls:// and wss:// addresses, not ${address}`);
  if (!isSecure) return {};
  if (key !== undefined && cert === undefined)
    throw new UsageError('--key needs --cert, the certificate that it is of');
  if (insecure) process.stderr.write(`yodel: --insecure: the certificate of ${address} is not checked\n`);
  return {
    ca: cacert === undefined ? undefined : readFile(cacert),
    servername,
    insecure,
    ...(cert === undefined ? {} : { cert: readFile(cert), key: readFile(key ?? cert) }),
  };
}

/** The address, over TLS when netcat's `--ssl` says so. */
export function withSsl(address: Address, flags: Readonly<Record<string, unknown>>): Address {
  return flags.ssl === true && address.scheme === 'tcp' ? new TlsAddress(address.host, address.port) : address;
}

/** Adds the flags for TLS to a command that listens. What they say is read in `serve-tls.ts`. */
export function addServerTlsFlags(command: Command): void {
  const file = (flag: string, text: string) => new Option(`--${flag} <file>`, text).env(envName(flag));
  const alias = (flag: string) => new Option(`--${flag} <file>`).hideHelp();
  command
    .optionsGroup('TLS, for tls:// and wss://:')
    .addOption(file('cert', 'the certificate, and those between it and its authority (PEM)'))
    .addOption(file('key', 'its private key (PEM); nobody else may read the file (default: in the file of --cert)'))
    .addOption(file('client-ca', 'refuse clients without a certificate of one of these authorities (PEM)'))
    .addOption(
      new Option(
        '--sni <name=cert,key>',
        'another certificate for this server name; may be given several times',
      ).argParser(oneMore),
    )
    .addOption(new Option('--alpn <protocols>', 'agree on one of these protocols, the best first: chat/2,chat/1'))
    .addOption(
      new Option('--tls-self-signed', 'make a certificate for a try, in memory, and print its fingerprint').conflicts([
        'cert',
        'key',
        'sni',
      ]),
    )
    // What netcat users type.
    .addOption(alias('ssl-cert'))
    .addOption(alias('ssl-key'))
    .addOption(alias('ssl-trustfile'))
    .addOption(new Option('--ssl-alpn <protocols>').hideHelp());
}
