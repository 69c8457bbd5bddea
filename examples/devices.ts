// Devices that log in with a name, and are sent commands by it, whatever process of the server they are connected to.
// Run it with `yodel serve ./devices.ts --workers 2`. `login lamp` makes a device, and `lamp on` reaches it from anywhere.
import { type HandlerObject, YodelError } from 'yodel';

const devices: HandlerObject = {
  message({ text }, session) {
    const [, name = '', rest = ''] = /^(\w+) ?(.*)$/.exec(text) ?? [];
    if (name !== 'login') {
      const device = session.server.room(`device/${name}`);
      if (device.size === 0) return `no device ${name}`;
      device.send(rest);
      return `sent to ${name}`;
    }
    try {
      session.join(`device/${rest}`, { alone: true });
      session.join('devices', { as: rest });
    } catch (error) {
      if (error instanceof YodelError && error.code === 'YODEL_ROOM_TAKEN') return `${rest} is connected already`;
      throw error;
    }
    return `all: ${session.server.room('devices').names(10).join(', ')}`;
  },
  // Two that logged in at the same moment, in two processes: the first one stays.
  taken: (session) => session.close(),
};
export default devices;
