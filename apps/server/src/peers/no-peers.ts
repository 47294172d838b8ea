import type { PeerTransport } from '@shanghai/raft';

/** The transport of a node alone: there is nobody to carry anything to. */
export function noPeers(): PeerTransport {
  return {
    open: () => undefined,
    setPeers: () => undefined,
    send: () => undefined,
    sendSnapshot: (nodeId) => Promise.reject(new Error(`there is no node ${nodeId}: this one is alone`)),
    close: () => Promise.resolve(),
  };
}
