// A service in JSON: a schema (here of Zod) checks what clients send, and gives the handler its types.
import { connect, json, serve, unchecked } from 'yodel';
import * as z from 'zod';

const order = z.object({ item: z.string(), amount: z.int().positive() });
type Order = z.infer<typeof order>;
type Answer = { price: number } | { error: string };

const prices: Record<string, number> = { tea: 3, cake: 4 };

const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  codec: json(order, { sent: unchecked<Answer>() }),
  handler: ({ item, amount }) => {
    const price = prices[item];
    return price === undefined ? { error: `there is no ${item}` } : { price: price * amount };
  },
});

const client = await connect(server.addresses[0], { codec: json<Answer, Order>() });
console.log(await client.request({ item: 'tea', amount: 2 }));
console.log(await client.request({ item: 'coffee', amount: 1 }));
console.log(await client.request({ item: 'cake', amount: 0 }));

await client.close();
await server.close();
