import { Server } from 'node:net';

/**
 * Ends listening without resetting anybody. The kernel takes connections for a listener before the program does, and resets
 * those that still wait when it is closed; right behind a turn's input none does, unless it came in that moment. What is
 * connected stays so, also where nothing was asked on it yet: `close` of an HTTP server would cut it off, request or not.
 */
export async function stopAccepting(server: Server): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (server.listening) Server.prototype.close.call(server);
}
