/** Bytes in the format of `hexdump -C`: offset, hexadecimal, ASCII. */

/** The dump in lines of 16, 8 or 4 bytes, the most that fit into `width` columns. */
export function hexDump(bytes: Uint8Array, width = 80): string {
  const perLine = [16, 8, 4].find((count) => lineWidth(count) <= width) ?? 4;
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += perLine) lines.push(hexLine(bytes.subarray(at, at + perLine), at, perLine));
  return lines.join('\n');
}

function lineWidth(perLine: number): number {
  return 8 + Math.ceil(perLine / 8) + perLine * 3 + 4 + perLine;
}

function hexLine(bytes: Uint8Array, offset: number, perLine: number): string {
  let line = offset.toString(16).padStart(8, '0');
  for (let index = 0; index < perLine; index++) {
    const byte = bytes[index];
    line += `${index % 8 === 0 ? '  ' : ' '}${byte === undefined ? '  ' : byte.toString(16).padStart(2, '0')}`;
  }
  const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  return `${line}  |${text}|`;
}
