/** Shows the output of a session to those who observe it, on its way. */
import type { ByteOutput } from '../framing/frames.ts';
import type { SessionView, Telemetry } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import type { Output } from './output.ts';

/** Where the output is written to. */
export interface Target {
  write(bytes: Uint8Array): void;
}

/**
 * The connection; while subscribers observe what is sent, with notice to them.
 *
 * @param isShared whether it was sent to a room
 */
export function targetOf(
  session: SessionView,
  connection: Connection,
  telemetry: Telemetry,
  isShared: boolean,
): Target {
  if (!telemetry.observesSent) return connection;
  return {
    write(bytes) {
      telemetry.emit('sent', session, bytes, isShared);
      connection.write(bytes);
    },
  };
}

/** Shows frames to the protocol's state. */
export function observedOutput(output: Output, sent: (bytes: Uint8Array) => void): ByteOutput {
  return {
    append(source, start, end) {
      sent(source.subarray(start, end));
      output.append(source, start, end);
    },
  };
}
