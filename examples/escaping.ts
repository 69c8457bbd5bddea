// Frames that end with 0x7e. In the message 0x7d escapes 0x7e and itself, with bit 5 inverted, as in HDLC and PPP.
import { defineFraming, invalidFrame } from 'yodel';

const END = 0x7e;
const ESCAPE = 0x7d;

export default defineFraming({
  name: 'stuffed',
  trailerSize: 1,
  ending: Uint8Array.of(END),
  // At worst every byte is escaped.
  maxFrameSize: (limit) => 2 * limit + 1,
  // 0, which means that more bytes are needed, if there is no end yet. Bytes that were searched before are not searched again.
  decode: (bytes, _start, _state, seen) => bytes.indexOf(END, seen) + 1,
  payload(bytes, start, end) {
    const payload = Buffer.alloc(end - start);
    let size = 0;
    for (let at = start; at < end - 1; at++) {
      let byte = bytes[at] as number;
      if (byte === ESCAPE) {
        at++;
        if (at === end - 1) throw invalidFrame(at - start, 'the frame ends after an escape');
        byte = (bytes[at] as number) ^ 0x20;
      }
      payload[size++] = byte;
    }
    return payload.subarray(0, size);
  },
  encode(payload) {
    const frame: number[] = [];
    for (const byte of payload) {
      if (byte === END || byte === ESCAPE) frame.push(ESCAPE, byte ^ 0x20);
      else frame.push(byte);
    }
    return Uint8Array.from([...frame, END]);
  },
});
