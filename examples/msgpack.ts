// A codec for MessagePack, with a library: values as bytes, in frames that begin with their length.
import { decode, encode } from '@msgpack/msgpack';
import { type Codec, connect, serve } from 'yodel';

type Value = null | boolean | number | string | Uint8Array | Date | Value[] | { [key: string]: Value };

const msgpack: Codec<Value, Value> = {
  name: 'msgpack',
  decode: ({ bytes }) => decode(bytes) as Value,
  encode: (value) => encode(value),
  errorReply: (text) => ({ error: text }),
};

const options = { codec: msgpack, framing: 'length:4' } as const;
const server = await serve({ ...options, listen: 'tcp://127.0.0.1:0', handler: (value) => ({ received: value }) });
const client = await connect(server.addresses[0], options);

console.log(await client.request([1.5, new Date(0), { name: 'Ada' }]));

// What is no MessagePack is refused, and the connection goes on.
const plain = await connect(server.addresses[0], { framing: 'length:4' });
console.log(decode((await plain.request(Uint8Array.of(0x92, 1))).bytes));

await Promise.all([client.close(), plain.close()]);
await server.close();
