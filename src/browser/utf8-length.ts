/** Bytes of a text in UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let size = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) continue;
    size += code < 0x800 ? 1 : 2;
    // The two units of a pair take four bytes together. A unit without its other half becomes U+FFFD, of three.
    if ((text.codePointAt(at) as number) > 0xffff) at++;
  }
  return size;
}
