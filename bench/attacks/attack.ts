/**
 * Attacks a server on this machine, in a process of its own: `attack.ts NAME PORT SECONDS`.
 *
 * Prints a line when the attack is in full swing, and another with what it did when its input ends, or after SECONDS. It
 * connects to 127.0.0.1 only.
 */
import { attacks } from './attacks.ts';

const [name = '', port = '', seconds = ''] = process.argv.slice(2);
const attack = attacks.find((one) => one.name === name);
if (!attack || !(Number(port) > 0) || !(Number(seconds) > 0)) {
  process.stderr.write(`attack: NAME is one of ${attacks.map((one) => one.name).join(', ')}\n`);
  process.exit(2);
}

let done = 0;
let from = 0;
const finish = () => {
  const seconds = (performance.now() - from) / 1000;
  process.stdout.write(`${JSON.stringify({ done, seconds })}\n`, () => process.exit(0));
};
process.stdin.on('end', finish).resume();
setTimeout(finish, Number(seconds) * 1000);

await attack.begin(Number(port), (count) => {
  done += count;
});
done = 0;
from = performance.now();
process.stdout.write(`${JSON.stringify({ attacking: name })}\n`);
