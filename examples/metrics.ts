// The metrics of two servers in the program's own Prometheus registry, beside its own metrics.
import { Counter, Registry } from 'prom-client';
import { connect, serve } from 'yodel';
import { registerMetrics } from 'yodel/metrics';

const registry = new Registry();
const orders = new Counter({ name: 'shop_orders_total', help: 'Orders.', registers: [registry] });

const shop = await serve({
  listen: 0,
  handler(message) {
    orders.inc();
    return `ordered ${message.text}`;
  },
});
const admin = await serve({ listen: 0 });
registerMetrics(shop, { registry, labels: { server: 'shop' } });
const unregister = registerMetrics(admin, { registry, labels: { server: 'admin' } });

const client = await connect(shop.addresses[0]);
console.log((await client.request('a bicycle')).text);
await client.close();

/** What a server would answer to GET /metrics, with the content type `registry.contentType`. */
const text = await registry.metrics();
for (const line of text.split('\n')) if (/^(shop|yodel_messages_sent)_/.test(line)) console.log(line);

unregister();
await Promise.all([shop.close(), admin.close()]);
