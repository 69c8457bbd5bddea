import { mosquitto } from '../protocols/servers/mosquitto.ts';
import { testWorkbench } from './workbench.ts';

testWorkbench({
  section: 'MQTT',
  test: mosquitto.test,
  start: mosquitto.start,
  port: '1883',
  wrongReply: ['c2<h 33 |\\ \\0\\x03a/b\\0\\x01hello', 'c2<h 33 |\\ \\0\\x03a/b\\0\\x01hullo'],
  wrongRequest: ['c1>h 33 |\\ \\0\\x03a/b\\0\\x01hello', 'c1>h 33 |\\ \\0\\x03a/b\\0\\x01hullo'],
});
