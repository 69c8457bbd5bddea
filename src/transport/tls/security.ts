/** What is known of a connection over TLS. */

/** The result of a TLS handshake. */
export interface Security {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** The name that the client requested (SNI), if any. */
  readonly servername: string | undefined;
  /** The protocol that both agreed on (ALPN), if any. */
  readonly alpn: string | undefined;
  /** The subject of the client's certificate, such as `CN=ada,O=Example`, when one was requested and is valid. */
  readonly subject: string | undefined;
  /**
   * The client's certificate, when one was requested and is valid. It is read when it is first asked for; ask while the connection is
   * open. A session that was resumed has the one of the session that it resumes.
   */
  readonly certificate: Certificate | undefined;
}

/** A TLS handshake, from the client's side. */
export interface TlsHandshake {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** The cipher suite: `TLS_AES_256_GCM_SHA384`. */
  readonly cipher: string;
  /** The name that was requested (SNI), if any: an IP address is none. */
  readonly servername: string | undefined;
  /** The protocol that both agreed on (ALPN), if any. */
  readonly alpn: string | undefined;
  /** Why the certificate is not trusted, which only the option `insecure` accepts: `DEPTH_ZERO_SELF_SIGNED_CERT`. */
  readonly untrusted: string | undefined;
  /** The server's certificate, if it has one. */
  readonly certificate: Certificate | undefined;
  /** How long the handshake took, in milliseconds. */
  readonly tookMs: number;
}

/** What an X.509 certificate says. The text is its owner's: escape it before you print it. */
export interface Certificate {
  /** `CN=example.org,O=Example`, escaped as in RFC 4514, the most specific part first. For reading: compare `subjectFields`. */
  readonly subject: string;
  /** The parts of the subject. */
  readonly subjectFields: NameFields;
  /** The authority that signed it, in the same form as the subject. */
  readonly issuer: string;
  readonly issuerFields: NameFields;
  /** The host names and IP addresses that it is valid for. */
  readonly names: readonly string[];
  /** All names that it is valid for, by kind. */
  readonly alternativeNames: AlternativeNames;
  /** The serial number, in hexadecimal. */
  readonly serial: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  /** The SHA-256 of the certificate: 32 bytes in hexadecimal, separated by colons. */
  readonly fingerprint: string;
  /** The certificate as it is, in DER. */
  readonly raw: Uint8Array;
  /** The same in PEM. */
  readonly pem: string;
}

/** The parts of a subject or issuer, by their short names, or their numbers where OpenSSL has no name for them. Each may occur several times. */
export interface NameFields {
  /** The common name. */
  readonly CN?: readonly string[];
  /** The organization. */
  readonly O?: readonly string[];
  /** The organizational unit. */
  readonly OU?: readonly string[];
  /** The country. */
  readonly C?: readonly string[];
  /** The state or province. */
  readonly ST?: readonly string[];
  /** The locality. */
  readonly L?: readonly string[];
  readonly emailAddress?: readonly string[];
  readonly [field: string]: readonly string[] | undefined;
}

/** The subject alternative names of a certificate. Those of other kinds are left out. */
export interface AlternativeNames {
  /** Host names, such as `*.example.org`. */
  readonly dns: readonly string[];
  /** IP addresses in their shortest form: `2001:db8::1`. */
  readonly ip: readonly string[];
  /** Such as `spiffe://example.org/billing`. */
  readonly uri: readonly string[];
  /** E-mail addresses. */
  readonly email: readonly string[];
}
