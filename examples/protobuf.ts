// Protocol Buffers: a codec of two message types, which are read from their definition when the program starts.
import protobuf from 'protobufjs';
import { type Codec, connect, serve } from 'yodel';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Reading { string sensor = 1; double celsius = 2; }
  message Answer { bool alarm = 1; string error = 2; }
`);
interface Reading {
  sensor: string;
  celsius: number;
}
interface Answer {
  alarm?: boolean;
  error?: string;
}

/** Receives one type and sends another. */
function codecFor<In, Out extends object>(received: string, sent: string): Codec<In, Out> {
  const [incoming, outgoing] = [root.lookupType(received), root.lookupType(sent)];
  return {
    name: 'protobuf',
    decode: ({ bytes }) => incoming.toObject(incoming.decode(bytes), { defaults: true }) as In,
    encode: (value) => {
      const problem = outgoing.verify(value);
      if (problem) throw new TypeError(problem);
      return outgoing.encode(outgoing.create(value)).finish();
    },
  };
}

const serverCodec: Codec<Reading, Answer> = {
  ...codecFor<Reading, Answer>('Reading', 'Answer'),
  errorReply: (error) => ({ error }),
};
const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  framing: 'length:varint', // as protobuf's own libraries write messages one after another
  codec: serverCodec,
  handler: ({ celsius }) => ({ alarm: celsius > 30 }),
});

const codec = codecFor<Answer, Reading>('Answer', 'Reading');
const client = await connect(server.addresses[0], { framing: 'length:varint', codec });
console.log((await client.request({ sensor: 'attic', celsius: 41.5 })).alarm);
console.log((await client.request({ sensor: 'cellar', celsius: 12 })).alarm);

await client.close();
await server.close();
