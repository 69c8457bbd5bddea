// A protocol of text with its own error replies: a number says what has happened, as in SMTP.
import { connect, serve, YodelError } from 'yodel';

const server = await serve({
  listen: 0,
  maxMessageLength: 20,
  errorReply: (text, code) => `${code === 'APP_DENIED' ? 550 : 500} ${text}`,
  handler({ text }) {
    if (text.endsWith('@example.com')) return '250 ok';
    throw new YodelError('APP_DENIED', `mail to ${text}`, { reply: 'not for this server' });
  },
});

for (const recipient of ['ana@example.com', 'bob@example.org', 'a-very-long-name@example.com']) {
  const client = await connect(server.addresses[0]);
  console.log((await client.request(recipient)).text);
  await client.close();
}
await server.close();
