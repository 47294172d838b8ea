import type { Clock, Random } from '@shanghai/env';
import type { MembershipTransport } from '@shanghai/membership';
import { createGrpcTransport } from '@shanghai/membership/grpc';
import type { PeerTransport } from '@shanghai/raft';
import { type GrpcPeers, openGrpcPeers, PeerError, type PeerRefusalEvent } from '@shanghai/raft/grpc';
import type { ReplicationTransport } from '@shanghai/replication';
import { createGrpcReplication } from '@shanghai/replication/grpc';
import { type NodeIdentity, newId } from '../data-directory.js';
import { portOf } from '../first-members.js';
import { maxEntryBytes, type NodeLimits } from '../limits.js';
import { listenError } from '../listen-error.js';
import type { NodePeerOptions } from '../node-options.js';
import { noPeers } from './no-peers.js';
import type { PeerBook } from './peer-book.js';

/** What carries consensus, multi-master logs and membership, on the one listener; absent where there is none. */
export interface OpenedPeers {
  readonly transport: PeerTransport | GrpcPeers;
  readonly replication?: ReplicationTransport;
  readonly membership?: MembershipTransport;
}

/** What the peer listener is opened with. */
export interface PeersOptions {
  readonly identity: NodeIdentity;
  /** Where the others reach this node. `''`: it is alone. */
  readonly peerAddress: string;
  readonly book: PeerBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: NodeLimits;
  readonly peers: NodePeerOptions;
  /** Told of every refusal by another node. */
  readonly onRefused: (event: PeerRefusalEvent) => void;
}

/** Opens the listener for other nodes; there is none where the node is alone. Rejects with `ListenError`. */
export async function openPeers(options: PeersOptions): Promise<OpenedPeers> {
  const { identity, book, clock, random, limits, peers, onRefused } = options;
  const { clusterId, nodeId, instanceId } = identity;
  if (options.peerAddress === '') return { transport: noPeers() };
  const { host = '127.0.0.1', snapshotBytesPerSecond, listener } = peers;
  const port = peers.port === undefined || peers.port === 0 ? portOf(options.peerAddress) : peers.port;
  const replication = createGrpcReplication({
    self: { clusterId, nodeId, instanceId },
    book,
    clock,
    random,
    limits: { maxMessageBytes: 2 * maxEntryBytes(limits) },
  });
  const membership = createGrpcTransport({ self: { clusterId, nodeId, instanceId }, book, clock });
  try {
    const transport = await openGrpcPeers({
      extend: (server, connections) => {
        replication.addTo(server, connections);
        membership.addTo(server, connections);
      },
      host,
      port,
      self: { clusterId, nodeId, instanceId, startId: newId(random) },
      book,
      clock,
      random,
      limits: {
        maxEntryBytes: maxEntryBytes(limits),
        ...(snapshotBytesPerSecond === undefined ? {} : { snapshotBytesPerSecond }),
      },
      listener: {
        ...listener,
        refused(event) {
          listener?.refused?.(event);
          if (event.isByPeer) onRefused(event);
        },
      },
    });
    return { transport, replication, membership };
  } catch (error) {
    if (error instanceof PeerError && error.code === 'LISTEN_FAILED') throw listenError('peers', host, port, error);
    throw error;
  }
}
