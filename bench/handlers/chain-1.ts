// Like text.ts, behind one middleware that passes on everything: `yodel serve ./chain-1.ts`.
import { compose, type Message, type Middleware } from 'yodel';

const pass: Middleware = (_message, _session, next) => next();

export default compose(pass, (message: Message) => message.text);
