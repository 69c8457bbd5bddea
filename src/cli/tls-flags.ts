/** The flags for TLS: trust and certificates, for commands that connect and for `yodel serve`. */
import { type Command, Option } from 'commander';
import { type Address, TlsAddress } from '../address.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { UsageError } from './fail.ts';
import { readFile } from './files.ts';
import { collect, envName } from './flags.ts';

/** Adds the flags to a command that connects. */
export function addTlsFlags(command: Command): void {
  command
    .optionsGroup('TLS:')
    .addOption(new Option('--cacert <file>', 'trust only the authorities in this file (PEM)').env(envName('cacert')))
    .addOption(new Option('--servername <name>', "the name expected in the server's certificate (default: the host)"))
    .addOption(new Option('--insecure', 'do not verify the certificate: anyone can impersonate the server'))
    .addOption(
      new Option('--cert <file>', 'client certificate, for servers that request one (PEM)').env(envName('client-cert')),
    )
    .addOption(
      new Option('--key <file>', 'private key of --cert (PEM; default: in the file of --cert)').env(
        envName('client-key'),
      ),
    )
    // Aliases for netcat users. The certificate is verified with and without --ssl-verify.
    .addOption(new Option('--ssl').hideHelp())
    .addOption(new Option('--ssl-verify').hideHelp())
    .addOption(new Option('--ssl-trustfile <file>').hideHelp())
    .addOption(new Option('--ssl-servername <name>').hideHelp())
    .addOption(new Option('--ssl-cert <file>').hideHelp())
    .addOption(new Option('--ssl-key <file>').hideHelp());
}

/**
 * The TLS options for connecting to `address`.
 *
 * @param options.mayUpgrade whether the connection, or a second one, may be encrypted later
 *
 * @throws UsageError if a file cannot be read, or TLS flags are given for an address without TLS
 */
export function readTlsFlags(
  flags: Readonly<Record<string, unknown>>,
  address: Address,
  { mayUpgrade = false }: { readonly mayUpgrade?: boolean } = {},
): TlsOptions {
  const given = flags as Readonly<Record<string, string | undefined>>;
  const cacert = given.cacert ?? given.sslTrustfile;
  const servername = given.servername ?? given.sslServername;
  const cert = given.cert ?? given.sslCert;
  const key = given.key ?? given.sslKey;
  const insecure = flags.insecure === true;
  const isSecure = mayUpgrade || address.scheme === 'tls' || address.scheme === 'wss';
  // A connection without TLS must not be mistaken for a protected one.
  const [givenFlag] = [servername && '--servername', insecure && '--insecure', flags.cert && '--cert'].filter(Boolean);
  if (givenFlag && !isSecure) throw new UsageError(`${givenFlag} needs a tls:// or wss:// address, not ${address}`);
  if (!isSecure) return {};
  if (key !== undefined && cert === undefined) throw new UsageError('--key needs its certificate: --cert FILE');
  if (insecure) process.stderr.write(`yodel: --insecure: the certificate of ${address} is not verified\n`);
  return {
    ca: cacert === undefined ? undefined : readFile(cacert),
    servername,
    insecure,
    ...(cert === undefined ? {} : { cert: readFile(cert), key: readFile(key ?? cert) }),
  };
}

/** The address, with TLS if netcat's `--ssl` is given. */
export function withSsl(address: Address, flags: Readonly<Record<string, unknown>>): Address {
  return flags.ssl === true && address.scheme === 'tcp' ? new TlsAddress(address.host, address.port) : address;
}

/** Adds the flags to `yodel serve`, which reads them in `serve/tls.ts`. */
export function addServerTlsFlags(command: Command): void {
  const file = (flag: string, text: string) => new Option(`--${flag} <file>`, text).env(envName(flag));
  const alias = (flag: string) => new Option(`--${flag} <file>`).hideHelp();
  command
    .optionsGroup('TLS, for tls:// and wss://:')
    .addOption(file('cert', 'certificate, with its intermediate certificates (PEM)'))
    .addOption(
      file(
        'key',
        'private key of --cert (PEM), in a file that only its owner can read (default: in the file of --cert)',
      ),
    )
    .addOption(file('client-ca', 'require a client certificate from one of these authorities (PEM)'))
    .addOption(
      new Option('--sni <name=cert,key>', 'certificate for another server name; can be repeated').argParser(collect),
    )
    .addOption(new Option('--alpn <protocols>', 'application protocols in order of preference: chat/2,chat/1'))
    .addOption(
      new Option(
        '--tls-self-signed',
        'create a certificate for testing, in memory, and print its fingerprint',
      ).conflicts(['cert', 'key', 'sni']),
    )
    // Aliases for netcat users.
    .addOption(alias('ssl-cert'))
    .addOption(alias('ssl-key'))
    .addOption(alias('ssl-trustfile'))
    .addOption(new Option('--ssl-alpn <protocols>').hideHelp());
}
