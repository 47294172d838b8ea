/** Who is who, in the metadata of a call and of its answer (docs/protocols/REPLICATION.md). */
import { Metadata } from '@grpc/grpc-js';
import type { ReplicationBook, ReplicationSelf } from './grpc-replication-options.js';

const version = 1;

const keys = {
  protocol: 'shanghai-protocol',
  cluster: 'shanghai-cluster',
  from: 'shanghai-from',
  to: 'shanghai-to',
  instance: 'shanghai-instance',
  session: 'shanghai-session',
  refusal: 'shanghai-refusal',
};

const refusals = ['hello', 'protocol', 'cluster', 'node', 'unknown', 'instance', 'removed'] as const;

/** Why two nodes do not talk. */
export type Refusal = (typeof refusals)[number];

/** What came of a hello: a peer, or why it is none and what to do. `nodeId` 0: it did not say. */
export type HelloOutcome =
  | { readonly nodeId: number; readonly session: string; readonly refusal?: undefined }
  | { readonly nodeId: number; readonly refusal: Refusal; readonly message: string };

/** Throws `TypeError` or `RangeError` where a node cannot introduce itself like that. */
export function checkSelf({ clusterId, nodeId, instanceId }: ReplicationSelf): void {
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`node id ${nodeId}; it is at least 1`);
  for (const [name, value] of Object.entries({ clusterId, instanceId })) {
    if (!isWord(value)) throw new TypeError(`${name} is '${value}'; 1 to 128 printable characters without spaces`);
  }
}

/** What the follower says on both streams of a session. */
export function helloTo(nodeId: number, self: ReplicationSelf, session: string): Metadata {
  const metadata = introduce(self, `${version}-${version}`);
  metadata.set(keys.to, `${nodeId}`);
  metadata.set(keys.session, session);
  return metadata;
}

/** What the source answers. */
export function helloAnswer(self: ReplicationSelf): Metadata {
  return introduce(self, `${version}`);
}

function introduce({ clusterId, nodeId, instanceId }: ReplicationSelf, versions: string): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.protocol, versions);
  metadata.set(keys.cluster, clusterId);
  metadata.set(keys.from, `${nodeId}`);
  metadata.set(keys.instance, instanceId);
  return metadata;
}

/** Judges who dials. */
export function judgeHello(metadata: Metadata, self: ReplicationSelf, book: ReplicationBook): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const versions = /^(\d{1,6})-(\d{1,6})$/.exec(textIn(metadata, keys.protocol));
  if (versions === null) return { nodeId, refusal: 'hello', message: 'it did not say which versions it speaks' };
  if (Number(versions[1]) > version || Number(versions[2]) < version) {
    const message = `it speaks versions ${versions[0]}, this node ${version}: upgrade the older of the two`;
    return { nodeId, refusal: 'protocol', message };
  }
  const to = nodeIdIn(metadata, keys.to);
  const session = textIn(metadata, keys.session);
  if (to === 0 || !isWord(session)) return { nodeId, refusal: 'hello', message: 'it did not say whom it wants' };
  if (to !== self.nodeId) return { nodeId, ...wrongNode(self.nodeId, to) };
  return judge(metadata, self, book, session);
}

/** Judges who answers; it was dialled as `nodeId`. */
export function judgeAnswer(
  metadata: Metadata,
  nodeId: number,
  self: ReplicationSelf,
  book: ReplicationBook,
): HelloOutcome {
  const answering = nodeIdIn(metadata, keys.from);
  const spoken = textIn(metadata, keys.protocol);
  if (spoken !== `${version}`) {
    const message = `it answers in version '${spoken}', this node speaks ${version}; check the address`;
    return { nodeId: answering, refusal: 'protocol', message };
  }
  if (answering !== nodeId) return { nodeId: answering, ...wrongNode(answering, nodeId) };
  return judge(metadata, self, book, '');
}

function wrongNode(listening: number, wanted: number) {
  const message = `node ${listening} listens where node ${wanted} was expected; correct its address`;
  return { refusal: 'node' as const, message };
}

function judge(metadata: Metadata, self: ReplicationSelf, book: ReplicationBook, session: string): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const clusterId = textIn(metadata, keys.cluster);
  const instanceId = textIn(metadata, keys.instance);
  const refuse = (refusal: Refusal, message: string): HelloOutcome => ({ nodeId, refusal, message });
  if (nodeId === 0 || !isWord(clusterId) || !isWord(instanceId)) return refuse('hello', 'it did not say who it is');
  if (clusterId !== self.clusterId) {
    return refuse('cluster', `it is of cluster '${clusterId}', node ${self.nodeId} of '${self.clusterId}'`);
  }
  switch (nodeId === self.nodeId ? 'otherInstance' : book.check(nodeId, instanceId)) {
    case 'unknown':
      return refuse('unknown', `node ${nodeId} is not in the node table; join it first`);
    case 'removed':
      return refuse('removed', `node ${nodeId} was taken out of the cluster, its id is not given again; join anew`);
    case 'otherInstance':
      return refuse('instance', `node ${nodeId} is another instance than '${instanceId}'; join it under a new node id`);
    case 'known':
      return { nodeId, session };
  }
}

/** Trailing metadata of a refused call. */
export function refusalMetadata(refusal: Refusal): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.refusal, refusal);
  return metadata;
}

/** Whether a call ended because the other side does not want this node, and its reason where this version knows it. */
export function refusalIn(metadata: Metadata | undefined): { readonly refusal?: Refusal } | undefined {
  const text = metadata === undefined ? '' : textIn(metadata, keys.refusal);
  if (text === '') return undefined;
  const refusal = refusals.find((known) => known === text);
  return refusal === undefined ? {} : { refusal };
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
