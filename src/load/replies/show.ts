/** The number of bytes of a reply that an error shows. */
const maxShown = 48;

/** Bytes as escaped text in quotes; of many bytes, those around an index. */
export function show(bytes: Uint8Array, around: number): string {
  const start = bytes.length <= maxShown ? 0 : Math.max(0, Math.min(around - 16, bytes.length - maxShown));
  const end = Math.min(bytes.length, start + maxShown);
  const text = Array.from(bytes.subarray(start, end), showByte).join('');
  return `${start > 0 ? '…' : ''}"${text}"${end < bytes.length ? '…' : ''}`;
}

const shortForms: Record<number, string> = { 0: '\\0', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

function showByte(byte: number): string {
  const short = shortForms[byte];
  if (short !== undefined) return short;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
