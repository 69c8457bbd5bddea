// A room in plain Bun.serve as its users write it: publish and subscribe.
//
// usage: bun bun-publish.mjs PORT
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('WebSocket only\n', { status: 426 })),
  websocket: {
    message(socket, message) {
      if (message === 'hello') socket.send('hello');
      else if (message === 'join') {
        socket.subscribe('bench');
        socket.send('joined');
      } else server.publish('bench', message);
    },
  },
});
console.log(`listening on 127.0.0.1:${server.port}`);
