// A handler that opens a file before the server listens, and closes it when the last client is gone.
import { type FileHandle, open } from 'node:fs/promises';
import { connect, type HandlerCallbacks, type Message, serve } from 'yodel';

class Diary implements HandlerCallbacks {
  #file!: FileHandle;

  async start(): Promise<void> {
    this.#file = await open('/dev/null', 'a');
    console.log('opened');
  }

  async message({ text }: Message): Promise<string> {
    await this.#file.write(`${text}\n`);
    return 'noted';
  }

  async stop(): Promise<void> {
    await this.#file.close();
    console.log('closed');
  }
}

const server = await serve({ listen: 0, handler: new Diary() });
const client = await connect(server.addresses[0]);
console.log((await client.request('rain')).text);
await client.close();
await server.close();
