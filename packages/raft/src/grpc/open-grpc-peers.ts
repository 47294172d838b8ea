/**
 * The transport between nodes over gRPC. Out: to each peer a lane for appends and one for all else, dialled from here,
 * and one more stream for each snapshot. In: whatever the peers dialled. docs/formats/peer-protocol.md has the bytes.
 */
import { credentials as grpcCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { isErrno, probeAddress } from '@shanghai/env';
import type { GroupMessage, Peer, PeerFrame, PeerHandlers, PeerTransport } from '../ports/peer-transport.js';
import type { SnapshotSource } from '../ports/state-machine.js';
import { beatFrame, encodeClock, encodeFrames } from '../wire/frame-codec.js';
import { PeerError } from '../wire/peer-error.js';
import { ByteRate } from './byte-rate.js';
import { connectionOptions, type DialSettings } from './dialled-stream.js';
import { type GrpcPeersLimits, type GrpcPeersOptions, resolveGrpcPeersLimits } from './grpc-peers-options.js';
import { checkSelf, clockVersion } from './hello.js';
import { IncomingSnapshots } from './incoming-snapshots.js';
import { IncomingStreams, type PeerCall } from './incoming-streams.js';
import { type LaneSettings, OutgoingLane } from './outgoing-lane.js';
import { PeerListener } from './peer-listener.js';
import { peerService } from './peer-service.js';

import { sendSnapshotTo } from './snapshot-sender.js';

/** A transport and where it listens. */
export interface GrpcPeers extends PeerTransport {
  /** `host:port`, with the port that was bound. */
  readonly address: string;
}

/**
 * Listens and returns; peers are let in, and dialled, from `open` on. Rejects with `PeerError` `LISTEN_FAILED` where the
 * address cannot be had; throws `TypeError` or `RangeError` for options that cannot work.
 */
export async function openGrpcPeers(options: GrpcPeersOptions): Promise<GrpcPeers> {
  checkSelf(options.self);
  const peers = new OpenPeers(options, resolveGrpcPeersLimits(options.limits));
  await peers.listen();
  return peers;
}

/** A peer that is wanted. */
interface Reached {
  readonly peer: Peer;
  readonly control: OutgoingLane;
  readonly log: OutgoingLane;
}

class OpenPeers implements GrpcPeers {
  readonly #options: GrpcPeersOptions;
  readonly #server: Server;
  readonly #listener: PeerListener;
  readonly #dial: DialSettings;
  readonly #rate: ByteRate;
  readonly #streams: IncomingStreams;
  readonly #snapshots: IncomingSnapshots;
  readonly #reached = new Map<number, Reached>();
  /** Ends what is being sent to a peer that is let go. */
  readonly #sending = new Map<AbortController, number>();
  readonly #probing = new Set<() => void>();
  #wanted: readonly Peer[] = [];
  #handlers: PeerHandlers | undefined;
  #closing: Promise<void> | undefined;
  #port = 0;

  constructor(options: GrpcPeersOptions, limits: GrpcPeersLimits) {
    const { self, book, clock, listener = {}, credentials } = options;
    this.#options = options;
    this.#rate = new ByteRate(clock, limits.snapshotBytesPerSecond);
    this.#dial = { self, book, clock, limits, credentials: credentials?.client ?? grpcCredentials.createInsecure() };
    const handlers = () => (this.#closing === undefined ? this.#handlers : undefined);
    const incoming = {
      self,
      book,
      limits,
      listener,
      onAdmitted: (nodeId: number, address: string) => {
        this.#listener.keep(address);
        this.#hurry(nodeId);
      },
      onEnded: (address: string) => this.#listener.release(address),
    };
    this.#streams = new IncomingStreams(incoming, handlers);
    this.#snapshots = new IncomingSnapshots(incoming, clock, handlers);
    this.#server = new Server({
      ...connectionOptions(limits),
      'grpc.max_concurrent_streams': 16,
    });
    this.#server.addService(peerService, {
      control: (call: PeerCall) => this.#streams.serve('control', call),
      log: (call: PeerCall) => this.#streams.serve('log', call),
      snapshot: (call: PeerCall) => this.#snapshots.serve(call),
    });
    const serverCredentials = credentials?.server ?? ServerCredentials.createInsecure();
    this.#listener = new PeerListener(this.#server, serverCredentials, clock, limits.idleConnectionMs);
    options.extend?.(this.#server, this.#listener);
  }

  get address(): string {
    const { host } = this.#options;
    return `${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#port = await this.#listener.listen(this.#options.host, this.#options.port);
  }

  open(handlers: PeerHandlers): void {
    this.#handlers = handlers;
    this.setPeers(this.#wanted);
  }

  setPeers(peers: readonly Peer[]): void {
    this.#wanted = peers;
    if (this.#handlers === undefined || this.#closing !== undefined) return;
    const wanted = new Map(peers.map((peer) => [peer.nodeId, peer]));
    wanted.delete(this.#options.self.nodeId);
    for (const { peer } of [...this.#reached.values()]) {
      if (wanted.get(peer.nodeId)?.address !== peer.address || this.#isStranger(peer.nodeId)) this.#letGo(peer.nodeId);
    }
    for (const peer of wanted.values()) if (!this.#reached.has(peer.nodeId)) this.#reach(peer);
    this.#streams.review();
    this.#snapshots.review();
  }

  /** Whether somebody was let in who would not be any more. */
  #isStranger(nodeId: number): boolean {
    const reached = this.#reached.get(nodeId);
    const instances = [reached?.control.instanceId, reached?.log.instanceId].filter((id) => id !== '');
    return instances.some((id) => this.#options.book.check(nodeId, id as string) !== 'known');
  }

  #reach(peer: Peer): void {
    const { random, listener = {} } = this.#options;
    const onUnreachable = (nodeId: number) => {
      if (this.#closing === undefined) this.#handlers?.onUnreachable(nodeId);
    };
    const onBroken = ({ nodeId, address }: Peer, lane: 'control' | 'log') => {
      if (lane === 'control' && this.#closing === undefined) this.#seeWhetherGone(nodeId, address);
    };
    const settings: LaneSettings = { ...this.#dial, random, listener, onUnreachable, onBroken };
    const control = new OutgoingLane(settings, peer, 'control');
    const log = new OutgoingLane(settings, peer, 'log');
    this.#reached.set(peer.nodeId, { peer, control, log });
  }

  /** Where a process has ended nobody listens any more; where the network broke nobody says so. */
  #seeWhetherGone(nodeId: number, address: string): void {
    const stop = probeAddress(address, (error) => {
      this.#probing.delete(stop);
      const isWanted = this.#closing === undefined && this.#reached.has(nodeId);
      if (isWanted && isErrno(error, 'ECONNREFUSED')) this.#handlers?.onGone(nodeId);
    });
    this.#probing.add(stop);
  }

  /** Who has come back need not be waited for. */
  #hurry(nodeId: number): void {
    const reached = this.#reached.get(nodeId);
    reached?.control.hurry();
    reached?.log.hurry();
  }

  #letGo(nodeId: number): void {
    const reached = this.#reached.get(nodeId);
    this.#reached.delete(nodeId);
    reached?.control.close();
    reached?.log.close();
    for (const [sending, to] of this.#sending) {
      if (to === nodeId) sending.abort(new PeerError('UNREACHABLE', `node ${nodeId} is not reached any more`));
    }
  }

  send(nodeId: number, frame: PeerFrame): void {
    if (this.#closing !== undefined) return;
    const reached = this.#reached.get(nodeId);
    if (reached === undefined) {
      this.#options.clock.soon(() => {
        if (this.#closing === undefined) this.#handlers?.onUnreachable(nodeId);
      });
      return;
    }
    const { messages, signals, clock } = frame;
    const from = this.#options.self.nodeId;
    if (clock !== undefined) {
      if (reached.control.version >= clockVersion) reached.control.send([encodeClock(clock)]);
      if (messages.length === 0 && signals.length === 0) return;
    }
    if (messages.length === 0 && signals.length === 0) {
      reached.control.send([beatFrame]);
      return;
    }
    const appends = messages.filter(isAppend);
    if (appends.length > 0) reached.log.send(encodeFrames(appends, [], from));
    const others = appends.length === 0 ? messages : messages.filter((message) => !isAppend(message));
    reached.control.send(encodeFrames(others, signals, from));
  }

  async sendSnapshot(
    nodeId: number,
    offer: GroupMessage,
    source: SnapshotSource | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#closing !== undefined) throw new PeerError('CLOSED', 'this node closes');
    const peer = this.#reached.get(nodeId)?.peer;
    if (peer === undefined) throw new PeerError('UNREACHABLE', `node ${nodeId} has no address`);
    const sending = new AbortController();
    this.#sending.set(sending, nodeId);
    const { random, listener = {} } = this.#options;
    const settings = { ...this.#dial, random, listener, rate: this.#rate };
    try {
      await sendSnapshotTo(settings, peer, offer, source, AbortSignal.any([signal, sending.signal]));
    } finally {
      this.#sending.delete(sending);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const sending of this.#sending.keys()) sending.abort(new PeerError('CLOSED', 'this node closes'));
    for (const stop of this.#probing) stop();
    for (const nodeId of [...this.#reached.keys()]) this.#letGo(nodeId);
    this.#streams.close();
    const settled = this.#snapshots.close();
    this.#server.forceShutdown();
    await this.#listener.close();
    await settled;
  }
}

/** Appends keep their order among themselves, with entries or without: one that overtakes another is refused. */
function isAppend({ message }: GroupMessage): boolean {
  return message.type === 'MsgApp';
}
