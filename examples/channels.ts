// A monitor that knows nothing of the program that it watches: it subscribes to yodel's channels by their names.
import { subscribe } from 'node:diagnostics_channel';
import { type ChannelMessages, connect, serve } from 'yodel';

function on<Name extends keyof ChannelMessages>(name: Name, listener: (message: ChannelMessages[Name]) => void) {
  subscribe(name, (message) => listener(message as ChannelMessages[Name]));
}

on('yodel:session:opened', ({ session }) => console.log(`${session.id} began`));
on('yodel:session:received', ({ session, batch }) => console.log(`${session.id} sent ${batch.count}`));
on('yodel:session:closed', ({ session, error }) => console.log(`${session.id} ended: ${error?.code ?? 'well'}`));

// The program.
const server = await serve({ listen: 0, maxMessageLength: 5 });
const client = await connect(server.addresses[0]);
await client.request('short');
await client.request('too long');
await client.close();
await server.close();
