// Sentences of instruments: "$", the message, "*" and its checksum in two hexadecimal digits, CR LF.
import { defineFraming, invalidFrame } from 'yodel';

export default defineFraming({
  name: 'sentences',
  headerSize: 1,
  trailerSize: 5,
  ending: '\r\n',
  decode(bytes, start) {
    if (bytes[start] !== 0x24) throw invalidFrame(0, 'expected "$"');
    const end = bytes.indexOf('\r\n', start);
    return end === -1 ? undefined : end + 2;
  },
  check(bytes, start, end) {
    const expected = checksum(bytes.subarray(start + 1, end - 5));
    const found = bytes.toString('latin1', end - 5, end - 2);
    if (found !== expected) throw invalidFrame(end - 5 - start, `expected the checksum ${expected}, not ${found}`);
  },
  encode(payload) {
    const text = Buffer.from(payload).toString('latin1');
    if (/[\r\n]/.test(text)) throw new Error('it contains a line end');
    return Buffer.from(`$${text}${checksum(payload)}\r\n`, 'latin1');
  },
});

/** All bytes XORed, after a star. */
function checksum(bytes: Uint8Array): string {
  const sum = bytes.reduce((before, byte) => before ^ byte, 0);
  return `*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
}
