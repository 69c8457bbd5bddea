/** A certificate authority for tests, and the certificates of clients that it signs. Needs `openssl`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** An authority. */
export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  #count = 0;
  /** Its certificate. */
  readonly cert: string;

  /** @param subject such as `/O=Example/CN=Test CA` */
  constructor(subject: string) {
    const files = ['-keyout', this.#file('ca.key'), '-out', this.#file('ca.pem')];
    openssl('req', '-x509', ...newKey, ...files, '-days', '2', '-utf8', '-subj', subject);
    this.cert = this.#read('ca.pem');
  }

  /**
   * Signs a certificate for a new key.
   *
   * @param names its alternative names, one for each line of OpenSSL's configuration: `DNS.1=a.example`
   */
  issue(subject: string, names: readonly string[] = [], days = 2): Identity {
    const name = `${++this.#count}`;
    const fileOf = (kind: string) => this.#file(`${name}.${kind}`);
    const [key, request, cert, extensions] = [fileOf('key'), fileOf('csr'), fileOf('pem'), fileOf('cnf')];
    openssl('req', ...newKey, '-keyout', key, '-out', request, '-utf8', '-subj', subject);
    writeFileSync(extensions, `subjectAltName=@names\n[names]\n${names.join('\n')}\n`);
    const authority = ['-CA', this.#file('ca.pem'), '-CAkey', this.#file('ca.key'), '-CAcreateserial'];
    const more = names.length > 0 ? ['-extfile', extensions] : [];
    openssl('x509', '-req', '-in', request, ...authority, '-out', cert, '-days', `${days}`, ...more);
    return { cert: this.#read(`${name}.pem`), key: this.#read(`${name}.key`) };
  }

  /** Removes its files. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #read(name: string): string {
    return readFileSync(this.#file(name), 'utf8');
  }
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
