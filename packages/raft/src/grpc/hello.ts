/** Who is who, in the metadata of a call and of its answer (docs/formats/peer-protocol.md). */
import { Metadata } from '@grpc/grpc-js';
import type { PeerBook, PeerSelf } from './grpc-peers-options.js';

const lowestVersion = 1;
const highestVersion = 2;

/** From this version of the protocol on peers ask each other for the time. */
export const clockVersion = 2;

const keys = {
  protocol: 'shanghai-protocol',
  cluster: 'shanghai-cluster',
  from: 'shanghai-from',
  to: 'shanghai-to',
  instance: 'shanghai-instance',
  start: 'shanghai-start',
  refusal: 'shanghai-refusal',
};

const refusals = ['hello', 'protocol', 'cluster', 'node', 'unknown', 'instance', 'removed'] as const;

/** Why two nodes do not talk. */
export type Refusal = (typeof refusals)[number];

/** What came of a hello: a peer, or why it is none and what to do. `nodeId` 0: it did not say. */
export type HelloOutcome =
  | {
      readonly nodeId: number;
      readonly startId: string;
      readonly instanceId: string;
      /** The version of the protocol that is spoken. */
      readonly version: number;
      readonly refusal?: undefined;
    }
  | { readonly nodeId: number; readonly refusal: Refusal; readonly message: string };

/** Throws `TypeError` or `RangeError` where a node cannot introduce itself like that. */
export function checkSelf(self: PeerSelf): void {
  const { clusterId, nodeId, instanceId, startId } = self;
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`node id ${nodeId}; it is at least 1`);
  for (const [name, value] of Object.entries({ clusterId, instanceId, startId })) {
    if (!isWord(value)) throw new TypeError(`${name} is '${value}'; 1 to 128 printable characters without spaces`);
  }
}

/** What the dialling side says. */
export function helloTo(nodeId: number, self: PeerSelf): Metadata {
  const metadata = introduce(self, `${lowestVersion}-${highestVersion}`);
  metadata.set(keys.to, `${nodeId}`);
  return metadata;
}

/** What the dialled side answers: `version` is what is spoken from here on. */
export function helloAnswer(self: PeerSelf, version: number): Metadata {
  return introduce(self, `${version}`);
}

function introduce({ clusterId, nodeId, instanceId, startId }: PeerSelf, versions: string): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.protocol, versions);
  metadata.set(keys.cluster, clusterId);
  metadata.set(keys.from, `${nodeId}`);
  metadata.set(keys.instance, instanceId);
  metadata.set(keys.start, startId);
  return metadata;
}

/** Judges who dials. */
export function judgeHello(metadata: Metadata, self: PeerSelf, book: PeerBook): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const refuse = refusing(nodeId);
  const versions = /^(\d{1,6})-(\d{1,6})$/.exec(textIn(metadata, keys.protocol));
  if (versions === null) return refuse('hello', 'no peer of this protocol: it did not say which versions it speaks');
  const lowest = lowestOf(book);
  if (Number(versions[1]) > highestVersion || Number(versions[2]) < lowest) {
    const ours = `${lowest} to ${highestVersion}`;
    return refuse('protocol', `it speaks versions ${versions[0]}, this node ${ours}: upgrade the older of the two`);
  }
  const to = nodeIdIn(metadata, keys.to);
  if (to === 0) return refuse('hello', 'it did not say whom it wants');
  const version = Math.min(Number(versions[2]), highestVersion);
  return judge(metadata, self, book, version, to === self.nodeId ? undefined : to);
}

/** Judges who answers; it was dialled as `nodeId`. */
export function judgeAnswer(metadata: Metadata, nodeId: number, self: PeerSelf, book: PeerBook): HelloOutcome {
  const answering = nodeIdIn(metadata, keys.from);
  const refuse = refusing(answering);
  const version = textIn(metadata, keys.protocol);
  if (!/^\d{1,6}$/.test(version)) return refuse('hello', 'what listens there is no peer; check the address');
  if (Number(version) < lowestOf(book) || Number(version) > highestVersion) {
    return refuse('protocol', `it answers in version ${version}: upgrade the older of the two`);
  }
  const outcome = judge(metadata, self, book, Number(version), undefined);
  if (outcome.refusal !== undefined || outcome.nodeId === nodeId) return outcome;
  return refuse('node', `node ${answering} listens where node ${nodeId} was expected; correct its address`);
}

/** A cluster in which every node speaks more takes no node that speaks less. */
function lowestOf(book: PeerBook): number {
  return Math.max(lowestVersion, book.lowestProtocol?.() ?? lowestVersion);
}

/** `wanted`: whom it wants, where that is not this node. */
function judge(
  metadata: Metadata,
  self: PeerSelf,
  book: PeerBook,
  version: number,
  wanted: number | undefined,
): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const refuse = refusing(nodeId);
  const clusterId = textIn(metadata, keys.cluster);
  const instanceId = textIn(metadata, keys.instance);
  const startId = textIn(metadata, keys.start);
  if (nodeId === 0 || !isWord(clusterId) || !isWord(instanceId) || !isWord(startId)) {
    return refuse('hello', 'it did not say who it is');
  }
  if (clusterId !== self.clusterId) {
    return refuse(
      'cluster',
      `it is of cluster '${clusterId}', node ${self.nodeId} of '${self.clusterId}'; correct the address, or join it`,
    );
  }
  if (wanted !== undefined) {
    return refuse('node', `node ${self.nodeId} listens where node ${wanted} was expected; correct its address`);
  }
  const known = nodeId === self.nodeId ? 'otherInstance' : book.check(nodeId, instanceId);
  if (known === 'unknown') return refuse('unknown', `node ${nodeId} is not in the node table; join it first`);
  if (known === 'removed') {
    return refuse('removed', `node ${nodeId} was taken out of the cluster, its id is not given again; join anew`);
  }
  if (known === 'otherInstance') {
    return refuse(
      'instance',
      `node ${nodeId} is another instance than '${instanceId}': its directory was copied or replaced; join it under a new node id`,
    );
  }
  return { nodeId, instanceId, startId, version };
}

function refusing(nodeId: number): (refusal: Refusal, message: string) => HelloOutcome {
  return (refusal, message) => ({ nodeId, refusal, message });
}

/** Trailing metadata of a refused call. */
export function refusalMetadata(refusal: Refusal): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.refusal, refusal);
  return metadata;
}

/** Whether a call ended because the other side does not want this node. */
export function isRefusal(metadata: Metadata | undefined): boolean {
  return metadata !== undefined && textIn(metadata, keys.refusal) !== '';
}

/** Why the other side does not want this node; `undefined` where it does not say, or not so that this version knows it. */
export function refusalIn(metadata: Metadata | undefined): Refusal | undefined {
  const text = metadata === undefined ? '' : textIn(metadata, keys.refusal);
  return refusals.find((refusal) => refusal === text);
}

function nodeIdIn(metadata: Metadata, key: string): number {
  const text = textIn(metadata, key);
  const nodeId = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(nodeId) ? nodeId : 0;
}

function textIn(metadata: Metadata, key: string): string {
  const [value] = metadata.get(key);
  return typeof value === 'string' ? value : '';
}

function isWord(text: string): boolean {
  return /^[!-~]{1,128}$/.test(text);
}
