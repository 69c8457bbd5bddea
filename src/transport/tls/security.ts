/** What a TLS handshake has told. */

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

/** What an X.509 certificate says. The text is the server's: escape it before you print it. */
export interface Certificate {
  /** `CN=example.org,O=Example`, the most specific part first. */
  readonly subject: string;
  /** The authority that signed it, in the same form. */
  readonly issuer: string;
  /** The host names and IP addresses that it is valid for. */
  readonly names: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
  /** The SHA-256 of the certificate: 32 bytes in hexadecimal, separated by colons. */
  readonly fingerprint: string;
}
