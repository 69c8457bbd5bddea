/** Frames of framings whose payload is not just a part of the frame, or that end in several ways. */
export const unusualFrames: readonly (readonly [framing: string, frames: readonly string[]])[] = [
  ['delimiters:\\0,\\n', ['a\0', 'b\n', 'c\n', 'd\0', '\0']],
  ['octet-counted:mixed,nul', ['1 a', '<34>b\n', '3 c\nd', '<34>e\0', '1 f']],
  ['netstring', ['1:a,', '0:,', '3:b,c,']],
  ['between:\\x02,\\x03', ['\x02a\x03', '\x02\x03']],
  ['between:\\x02,\\x03,escape=\\x10', ['\x02a\x10\x03b\x03', '\x02\x10\x10\x03']],
  ['slip', ['a\xdb\xdcb\xdb\xdd\xc0', 'c\xc0']],
  ['cobs', ['\x02a\x02b\0', '\x01\x02c\0']],
  ['resp', ['+OK\r\n', '*2\r\n$3\r\nGET\r\n$1\r\na\r\n', '$-1\r\n', ':1\r\n']],
  ['until(lines,/^END/)', ['a\nEND\n', 'b\r\nc\r\nEND\r\n', 'END\n']],
  ['headers', ['Content-Length: 2\r\n\r\nhi', 'Content-Length: 1\r\nX-Id: 7\r\n\r\n\xff']],
];
