import type { YodelError } from '../../errors.ts';
import type { Session } from '../../session/public-session.ts';
import type { ServerTls } from '../../transport/transport.ts';

/** Options of {@link mockServer}. */
export interface MockOptions {
  /**
   * Accept messages in any order, any number of times: each one is answered with the lines that follow the next line it matches.
   * Default: no; a message that differs from the transcript is answered with an error, and the session is closed.
   */
  readonly lenient?: boolean | undefined;
  /** Play the transcript once: its clients are served, and any other is refused. Default: each client begins a new run. */
  readonly once?: boolean | undefined;
  /**
   * Play the times that were recorded (`#+ 12ms`) before what the server sends, this many times as fast: 1 as recorded, 2 twice as
   * fast. Default: do not. `@wait` is always played.
   */
  readonly pace?: number | undefined;
  /** The certificate for `@starttls`, and for second addresses with `tls://`. */
  readonly tls?: ServerTls | undefined;
  /** Called for each problem: a client sent what is not in the transcript, left too early, or could not be sent a line. */
  readonly unexpected?: ((session: Session, error: YodelError) => void) | undefined;
}
