// Like text.ts, in a chain without middleware: `yodel serve ./chain-0.ts`.
import { compose, type Message } from 'yodel';

export default compose((message: Message) => message.text);
