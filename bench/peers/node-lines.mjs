// Plain node:net with framing, as its users write it: text, split at LF, one write per read. Invalid UTF-8
// is not detected: `setEncoding` replaces it with U+FFFD.
//
// usage: node node-lines.mjs PORT [echo|upper|upper-async] [LONGEST LINE]
import { once } from 'node:events';
import { createServer } from 'node:net';

const [port, mode, longest = 65_536] = process.argv.slice(2);

const handle = mode === 'upper' ? (line) => line.toUpperCase() : (line) => line;
const handleAsync = async (line) => line.toUpperCase();

function serve(socket) {
  let unfinished = '';
  socket.setEncoding('utf8');
  socket.on('data', (text) => {
    const lines = (unfinished + text).split('\n');
    unfinished = lines.pop();
    if (unfinished.length > longest) return void socket.destroy();
    if (lines.length === 0 || socket.write(`${lines.map(handle).join('\n')}\n`)) return;
    socket.pause();
    socket.once('drain', () => socket.resume());
  });
}

async function serveAsync(socket) {
  let unfinished = '';
  socket.setEncoding('utf8');
  for await (const text of socket) {
    const lines = (unfinished + text).split('\n');
    unfinished = lines.pop();
    if (unfinished.length > longest) return;
    const replies = [];
    for (const line of lines) replies.push(await handleAsync(line));
    if (lines.length > 0 && !socket.write(`${replies.join('\n')}\n`)) await once(socket, 'drain');
  }
}

createServer({ noDelay: true }, (socket) => {
  const failed = (error) => console.error('a client failed:', error.message);
  socket.on('error', failed);
  if (mode === 'upper-async') serveAsync(socket).catch(failed);
  else serve(socket);
}).listen(port, '127.0.0.1');
