// JSON in, the same value as JSON out: `yodel serve ./json.ts`.
import { type Handler, json } from 'yodel';

export const codec = json();

const echo: Handler<unknown, typeof codec> = (value) => value;
export default echo;
