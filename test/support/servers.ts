/** Servers in the process of the test, whose connections the test controls. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Certificate } from './certificate.ts';

/** Listens on a free port of 127.0.0.1 and resolves with the address. */
export async function listen(serveOneClient: (socket: net.Socket) => void): Promise<{ address: string; port: number }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    serveOneClient(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return { address: `127.0.0.1:${port}`, port };
}

/** The same with TLS. The name in the certificate is `localhost`. */
export async function listenTls(
  { certificate, key }: Certificate,
  serveOneClient: (socket: net.Socket) => void,
  options: tls.TlsOptions = {},
): Promise<{ address: string; port: number }> {
  const identity = { cert: readFileSync(certificate), key: readFileSync(key) };
  const server = tls.createServer({ ...identity, allowHalfOpen: true, ...options }, (socket) => {
    socket.on('error', () => undefined);
    serveOneClient(socket);
  });
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  return { address: `tls://localhost:${port}`, port };
}

/** The same with WebSocket: `ws`, or `wss` with a certificate. */
export async function listenWebSocket(
  serveOneClient: (socket: WebSocket) => void,
  identity?: Certificate,
): Promise<{ address: string; port: number }> {
  const http = identity
    ? https.createServer({ cert: readFileSync(identity.certificate), key: readFileSync(identity.key) })
    : createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    serveOneClient(socket);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
    http.close();
  });
  const { port } = http.address() as net.AddressInfo;
  return { address: `${identity ? 'wss://localhost' : 'ws://127.0.0.1'}:${port}/chat`, port };
}
