// Like text.ts, behind five middleware that passes on everything: `yodel serve ./chain-5.ts`.
import { compose, type Message, type Middleware } from 'yodel';

const pass: Middleware = (_message, _session, next) => next();

export default compose(pass, pass, pass, pass, pass, (message: Message) => message.text);
