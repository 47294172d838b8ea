import type { ServerDuplexStream } from '@grpc/grpc-js';

/** How much of a stream may be on its way: at 10 ms there and back some 800 MB/s, where 64 KiB give 6. */
const windowBytes = 8_388_608;

/** The part of an HTTP/2 session that is used. */
interface Session {
  readonly settings?: (settings: { initialWindowSize: number }) => void;
  readonly setLocalWindowSize?: (bytes: number) => void;
}

/**
 * Lets the dialling side of a call send more than the 64 KiB that HTTP/2 begins with before it hears that they were
 * taken. The library has a setting for this in its client only, so the session is taken from within the call; where it
 * is not found, there being no promise that it is, the window stays as it is. Says whether it was.
 */
export function widenWindow(call: ServerDuplexStream<Uint8Array, Uint8Array>): boolean {
  const inner = (call as unknown as { call?: { stream?: { session?: Session } } }).call;
  const session = inner?.stream?.session;
  if (typeof session?.settings !== 'function' || typeof session.setLocalWindowSize !== 'function') return false;
  session.settings({ initialWindowSize: windowBytes });
  session.setLocalWindowSize(windowBytes);
  return true;
}
