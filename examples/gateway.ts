// A gateway between two protocols: JSON over TCP and WebSocket on one side, thermometers with binary messages on the other.
import { type Client, connect, json, length, Message, serve } from 'yodel';

/** One byte is the command, two bytes are the answer: the temperature in tenths of a degree. */
const thermometer = await serve({
  listen: 0,
  framing: length({ bytes: 1 }),
  encoding: 'binary',
  handler: ({ bytes }) => (bytes[0] === 0x01 ? Uint8Array.of(0x00, 0xd7) : Uint8Array.of()),
});

interface Question {
  readonly ask: string;
}
type Answer = { readonly celsius: number } | { readonly error: string };

let device: Client;
const gateway = await serve({
  listen: [0, 'ws://127.0.0.1:0'],
  codec: json<Question, Answer>(),
  handler: {
    // One connection for all clients: requests are pipelined, and matched to the replies by their order.
    async start() {
      device = await connect(thermometer.addresses[0], {
        framing: length({ bytes: 1 }),
        encoding: 'binary',
        reconnect: true,
      });
    },
    async message({ ask }, session) {
      if (ask !== 'temperature') return { error: `cannot ask for ${ask}` };
      const { bytes } = await device.request(Message.of(Uint8Array.of(0x01)), {
        timeoutMs: 2000,
        signal: session.signal,
      });
      if (bytes.length !== 2) return { error: 'the thermometer does not know' };
      return { celsius: new DataView(bytes.buffer, bytes.byteOffset).getInt16(0) / 10 };
    },
    stop: () => device.close(),
  },
});

for (const address of gateway.addresses) {
  const client = await connect(address);
  for (const ask of ['temperature', 'pressure']) console.log((await client.request(JSON.stringify({ ask }))).text);
  await client.close();
}
await gateway.close();
await thermometer.close();
