import type { CatalogueCommand, NodeEntry } from '../apply/catalogue-command.js';
import type { SystemGroup } from '../raft/system-group.js';
import { ServerError } from '../requests/server-error.js';
import { requireJoinable } from '../version/version-gate.js';
import type { JoinedCluster, JoinRequest, MemberAddress, MemberSettings, NodeMembers } from './node-members.js';

const maxNameLength = 128;

/** `NodeMembers` on the node table of the system group. */
export class CatalogueMembers implements NodeMembers {
  readonly #system: SystemGroup;
  readonly #engine: string;

  /** `engine`: what holds the groups' state here, and so at all nodes of the cluster. */
  constructor(system: SystemGroup, engine: string) {
    this.#system = system;
    this.#engine = engine;
  }

  settings(): MemberSettings {
    const { replicationFactor, removedNodes } = this.#system.catalogue;
    return { replicationFactor, removedNodeIds: removedNodes.map(({ nodeId }) => nodeId) };
  }

  async join(request: JoinRequest): Promise<JoinedCluster> {
    const { instanceId, peerAddress, name, nodeId, versions } = request;
    this.#requireSameEngine(request.engine ?? '');
    const { clusterVersion } = this.#system.catalogue.cluster ?? {};
    if (versions !== undefined && clusterVersion !== undefined) requireJoinable(versions, clusterVersion);
    checkText('instance id', instanceId, 1);
    checkTexts(name, peerAddress);
    const said = versions === undefined ? {} : { versions };
    const own = { nodeId, name, instanceId, peerAddress, reservation: '', ...said };
    const clusterId = await this.#change({ type: 'joinNode', ...own });
    const entry = this.#entry((one) => one.instanceId === instanceId);
    return { clusterId, nodeId: entry.nodeId, members: this.#addresses() };
  }

  async reserve(request: { name: string; peerAddress: string; reservation: string }) {
    const { name, peerAddress, reservation } = request;
    checkText('reservation', reservation, 1);
    checkTexts(name, peerAddress);
    const clusterId = await this.#change({
      type: 'joinNode',
      nodeId: 0,
      name,
      instanceId: '',
      peerAddress,
      reservation,
    });
    const { nodeId } = this.#entry((one) => one.reservation === reservation);
    const { nodes } = this.#system.catalogue;
    const joinAddresses = nodes.map(({ grpcAddress }) => grpcAddress).filter((address) => address !== '');
    return { clusterId, nodeId, joinAddresses };
  }

  async leave(nodeId: number, force: boolean): Promise<void> {
    await this.#change({ type: 'leaveNode', nodeId, force });
  }

  async replace(nodeId: number, replacedBy: number, force: boolean): Promise<void> {
    await this.#change({ type: 'replaceNode', nodeId, replacedBy, force });
  }

  async setReplicationFactor(factor: number): Promise<void> {
    await this.#change({ type: 'setReplication', factor });
  }

  check(nodeId: number, instanceId: string): ReturnType<NodeMembers['check']> {
    const { nodes, removedNodes } = this.#system.catalogue;
    const members = this.#addresses();
    if (removedNodes.some((one) => one.nodeId === nodeId)) return { verdict: 'removed', members };
    const known = nodes.find((one) => one.nodeId === nodeId);
    if (known === undefined || known.instanceId === '') return { verdict: 'unknown', members };
    return { verdict: known.instanceId === instanceId ? 'member' : 'replaced', members };
  }

  #requireSameEngine(engine: string): void {
    if (engine === '' || engine === this.#engine) return;
    throw new ServerError(
      'CONFLICT',
      `the nodes of this cluster have engine '${this.#engine}', the new one '${engine}', and their states do not fit each ` +
        `other; start it in an empty directory with --engine ${this.#engine}`,
    );
  }

  /** Makes a change, wherever the leader is; resolves to the cluster's id when this node's copy has it. */
  async #change(change: CatalogueCommand): Promise<string> {
    const { cluster } = this.#system.catalogue;
    if (cluster === undefined) {
      throw new ServerError('CLUSTER_ERROR', 'this node is in no cluster yet; nothing was done, ask again soon');
    }
    await this.#system.change(change);
    return cluster.clusterId;
  }

  #entry(isIt: (entry: NodeEntry) => boolean): NodeEntry {
    const entry = this.#system.catalogue.nodes.find(isIt);
    if (entry !== undefined) return entry;
    throw new ServerError('CONFLICT', 'the node was taken out of the node table again in the same moment');
  }

  #addresses(): readonly MemberAddress[] {
    return this.#system.catalogue.nodes
      .filter(({ instanceId }) => instanceId !== '')
      .map(({ nodeId, instanceId, peerAddress, grpcAddress }) => ({ nodeId, instanceId, peerAddress, grpcAddress }));
  }
}

function checkTexts(name: string, peerAddress: string): void {
  checkText('name', name, 0);
  if (peerAddress !== '' && !isPeerAddress(peerAddress)) {
    throw new ServerError('INVALID_REQUEST', `the peer address '${peerAddress}' is no host:port`);
  }
}

function isPeerAddress(text: string): boolean {
  const [, port = ''] = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:,=[\]]+):(\d{1,5})$/.exec(text) ?? [];
  return port !== '' && Number(port) > 0 && Number(port) <= 65_535;
}

function checkText(what: string, text: string, least: number): void {
  if (text.length >= least && text.length <= maxNameLength && !/\p{Cc}/u.test(text)) return;
  throw new ServerError(
    'INVALID_REQUEST',
    `the ${what} has ${text.length} characters, from ${least} to ${maxNameLength} printable ones are allowed`,
  );
}
