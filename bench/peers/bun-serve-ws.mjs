// Plain Bun.serve as its users write it: a text message arrives as a string, a binary one as bytes, and goes back as that.
//
// usage: bun bun-serve-ws.mjs PORT
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('WebSocket only\n', { status: 426 })),
  websocket: {
    message: (socket, message) => void socket.send(message),
  },
});
console.log(`listening on 127.0.0.1:${server.port}`);
