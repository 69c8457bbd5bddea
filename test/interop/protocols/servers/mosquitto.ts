import { temporaryFile } from '../../../support/files.ts';
import { start } from '../../../support/process/command.ts';
import { testWith } from '../../../support/tools.ts';
import { type ProtocolProgram, printed, startServer } from './server.ts';

/** Each needs one byte more for its remaining length. */
const payloads = ['hello', '0'.repeat(200), '1'.repeat(20_000)];

/** mosquitto with a subscriber of MQTT 3.1.1 and publishers of MQTT 5. */
export const mosquitto: ProtocolProgram = {
  name: 'mosquitto, mosquitto_sub and mosquitto_pub',
  test: testWith(
    ['mosquitto', 'mosquitto_sub', 'mosquitto_pub', 'stdbuf'],
    'apt-get install mosquitto mosquitto-clients',
  ),
  async start() {
    const { port } = await startServer(
      (free) => [
        'mosquitto',
        '-c',
        temporaryFile('mosquitto.conf', `listener ${free} 127.0.0.1\nallow_anonymous true\nuser root\n`),
      ],
      { ready: /mosquitto version \S+ running/ },
    );
    return port;
  },
  async ask(port) {
    const where = ['-p', String(port), '-q', '1', '-t'];
    // -d reports the subscription, in lines that a pipe would delay.
    const subscriber = start([
      'stdbuf',
      '-oL',
      'mosquitto_sub',
      ...where,
      'a/#',
      '-V',
      '311',
      '-C',
      '3',
      '-F',
      '%t %p',
      '-d',
    ]);
    await subscriber.saw(/Subscribed/);
    for (const payload of payloads) await printed(['mosquitto_pub', ...where, 'a/b', '-V', '5', '-m', payload]);
    const { status, stdout } = await subscriber.ended;
    if (status !== 0) throw new Error(`mosquitto_sub: exit status ${status}`);
    return stdout.toString().replace(/^(?!a\/b ).*\n/gm, '');
  },
  answer: /^a\/b hello\na\/b 0{200}\na\/b 1{20000}\n$/,
};
