import { connect } from 'node:net';

/**
 * Finds out whether somebody listens at `host:port`, by a connection that is closed at once, and tells it once; what is
 * returned gives up instead. The gRPC library cannot give up a connection that is being made: behind a network that
 * swallows everything each attempt would leave a socket to the kernel for minutes. And where nobody listens, which is
 * tried once a second while a peer is down, this costs a tenth of what a client of the library costs.
 */
export function probeAddress(address: string, onEnd: (error: Error | undefined) => void): () => void {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    // Not from within this call, as in every other case.
    const isDue = { yet: true };
    void Promise.resolve().then(() => {
      if (isDue.yet) onEnd(new Error(`'${address}' is no host:port`));
    });
    return () => {
      isDue.yet = false;
    };
  }
  const socket = connect(port, host);
  let isOver = false;
  const end = (error: Error | undefined) => {
    socket.destroy();
    if (isOver) return;
    isOver = true;
    onEnd(error);
  };
  socket.once('connect', () => end(undefined));
  socket.on('error', end);
  return () => {
    isOver = true;
    socket.destroy();
  };
}
