// Lines of text until a client says "binary"; then packets: a type, a length of two bytes, the message.
import { defineFraming, type FramingRule } from 'yodel';

const packets: FramingRule = {
  headerSize: 3,
  // The type is not part of the message, but programs need it.
  header: (bytes, start) => bytes.subarray(start, start + 1),
  decode: (bytes, start) => (bytes.length < start + 3 ? undefined : start + 3 + bytes.readUInt16BE(start + 1)),
};

export default defineFraming({
  name: 'lines-then-packets',
  trailerSize: 1,
  decode: (bytes, start) => bytes.indexOf('\n', start) + 1,
  // Called once for each message: from here on the other rule applies.
  next: (bytes, start, end) => (bytes.toString('latin1', start, end) === 'binary\n' ? packets : undefined),
  // A message with a type is a packet, one without is a line.
  encode(payload, header) {
    const [type] = header;
    if (type === undefined) {
      if (payload.includes(0x0a)) throw new Error('a line cannot contain a line feed');
      return Buffer.concat([payload, Buffer.from('\n')]);
    }
    if (payload.length > 0xffff) throw new Error('it is too long for a packet');
    const head = Buffer.from([type, 0, 0]);
    head.writeUInt16BE(payload.length, 1);
    return Buffer.concat([head, payload]);
  },
});
