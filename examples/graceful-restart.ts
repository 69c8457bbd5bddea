// A restart that no request is lost in: the new server listens at the same port before the old one drains.
import { type Address, connect, serve, YodelError } from 'yodel';

const start = (version: string, listen: Address | number) =>
  serve({
    listen,
    reusePort: true, // two servers may have the port; the kernel gives each new connection to one of them
    handler: async ({ text }) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      return `${text}, says the ${version} server`;
    },
  });

const old = await start('old', 0);
const [address] = old.addresses;
const client = await connect(address, { reconnect: { minDelay: 10 } });

/** The client never sends a request twice. This program may: the requests change nothing. */
async function ask(text: string): Promise<string> {
  for (;;) {
    await client.ready();
    try {
      return (await client.request(text)).text;
    } catch (error) {
      if (!(error instanceof YodelError && /_NOT_CONNECTED$|_CLOSED$|_RESET$/.test(error.code))) throw error;
    }
  }
}

const answers: Promise<string>[] = [];
const ask20 = () => {
  for (let number = 0; number < 20; number++) answers.push(ask(`answer ${answers.length + 1}`));
};

ask20();
const next = await start('new', address as Address);
const drained = old.close(); // answers all that has arrived, then ends its sessions
ask20();
await drained;
ask20();
const all = await Promise.all(answers);
console.log(`${all.length} answers, from ${all[0]} to ${all.at(-1)}`);

await client.close();
await next.close();
