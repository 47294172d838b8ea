/** Who is who, in the metadata of a call and of its answer: docs/protocols/CLUSTER.md. */
import { Metadata } from '@grpc/grpc-js';
import { type GrpcRefusal, type GrpcSelf, type MemberBook, refusalNamed } from './grpc-transport-options.js';

const version = 1;

const keys = {
  protocol: 'shanghai-membership',
  cluster: 'shanghai-cluster',
  from: 'shanghai-from',
  to: 'shanghai-to',
  instance: 'shanghai-instance',
  refusal: 'shanghai-refusal',
};

/** What came of a hello: a member, or why it is none. `nodeId` 0: it did not say. */
export type HelloOutcome =
  | { readonly nodeId: number; readonly refusal?: undefined }
  | { readonly nodeId: number; readonly refusal: GrpcRefusal; readonly message: string };

/** Throws `TypeError` or `RangeError` where a node cannot introduce itself like that. */
export function checkSelf({ clusterId, nodeId, instanceId }: GrpcSelf): void {
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`node id ${nodeId}; it is at least 1`);
  for (const [name, value] of Object.entries({ clusterId, instanceId })) {
    if (!isWord(value)) throw new TypeError(`${name} is '${value}'; 1 to 128 printable characters without spaces`);
  }
}

/** What the dialling side says. `nodeId` 0: whoever is there. */
export function helloTo(nodeId: number, self: GrpcSelf): Metadata {
  const metadata = introduce(self, `${version}-${version}`);
  metadata.set(keys.to, `${nodeId}`);
  return metadata;
}

/** What the dialled side answers. */
export function helloAnswer(self: GrpcSelf): Metadata {
  return introduce(self, `${version}`);
}

function introduce({ clusterId, nodeId, instanceId }: GrpcSelf, versions: string): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.protocol, versions);
  metadata.set(keys.cluster, clusterId);
  metadata.set(keys.from, `${nodeId}`);
  metadata.set(keys.instance, instanceId);
  return metadata;
}

/** Judges who dials. */
export function judgeHello(metadata: Metadata, self: GrpcSelf, book: MemberBook | undefined): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const versions = /^(\d{1,6})-(\d{1,6})$/.exec(textIn(metadata, keys.protocol));
  if (versions === null) return { nodeId, refusal: 'hello', message: 'it did not say which versions it speaks' };
  if (Number(versions[1]) > version || Number(versions[2]) < version) {
    return { nodeId, refusal: 'protocol', message: `it speaks versions ${versions[0]}, this node ${version}` };
  }
  const to = textIn(metadata, keys.to);
  const wanted = to === '0' || to === `${self.nodeId}` ? undefined : to;
  return judge(metadata, self, book, wanted);
}

/** Judges who answers; it was dialled as `nodeId`, or as whoever is there where that is 0. */
export function judgeAnswer(
  metadata: Metadata,
  nodeId: number,
  self: GrpcSelf,
  book: MemberBook | undefined,
): HelloOutcome {
  const answering = nodeIdIn(metadata, keys.from);
  const spoken = textIn(metadata, keys.protocol);
  if (spoken !== `${version}`) {
    const message =
      spoken === '' ? 'what listens there is no member; check the address' : `it speaks version ${spoken}`;
    return { nodeId: answering, refusal: spoken === '' ? 'hello' : 'protocol', message };
  }
  const outcome = judge(metadata, self, book, undefined);
  if (outcome.refusal !== undefined || nodeId === 0 || answering === nodeId) return outcome;
  return { nodeId: answering, refusal: 'node', message: `node ${answering} listens where node ${nodeId} was expected` };
}

function judge(
  metadata: Metadata,
  self: GrpcSelf,
  book: MemberBook | undefined,
  wanted: string | undefined,
): HelloOutcome {
  const nodeId = nodeIdIn(metadata, keys.from);
  const refuse = (refusal: GrpcRefusal, message: string) => ({ nodeId, refusal, message });
  const clusterId = textIn(metadata, keys.cluster);
  const instanceId = textIn(metadata, keys.instance);
  if (nodeId === 0 || !isWord(clusterId) || !isWord(instanceId)) return refuse('hello', 'it did not say who it is');
  if (clusterId !== self.clusterId) {
    return refuse(
      'cluster',
      `it is of cluster '${clusterId}', node ${self.nodeId} of '${self.clusterId}'; correct the address`,
    );
  }
  if (wanted !== undefined) {
    return refuse('node', `node ${self.nodeId} listens where node ${wanted} was expected; correct its address`);
  }
  switch (book?.check(nodeId, instanceId)) {
    case 'unknown':
      return refuse('unknown', `node ${nodeId} is not in the node table; join it first`);
    case 'removed':
      return refuse('removed', `node ${nodeId} was taken out of the cluster; join anew`);
    case 'otherInstance':
      return refuse(
        'instance',
        `node ${nodeId} is another instance than '${instanceId}': its directory was copied or replaced`,
      );
    case 'known':
    case undefined:
      return { nodeId };
  }
}

/** Trailing metadata of a refused call. */
export function refusalMetadata(refusal: GrpcRefusal): Metadata {
  const metadata = new Metadata();
  metadata.set(keys.refusal, refusal);
  return metadata;
}

/** Why the other side does not want this node: a name, `''` for no refusal at all, and what this version makes of it. */
export function refusalIn(metadata: Metadata | undefined): {
  readonly name: string;
  readonly refusal: GrpcRefusal | undefined;
} {
  const name = metadata === undefined ? '' : textIn(metadata, keys.refusal);
  return { name, refusal: refusalNamed(name) };
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
