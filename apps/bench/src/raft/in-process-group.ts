import { type Message, RawNode, type Snapshot } from '@shanghai/raft';
import { MemoryLogStorage } from '@shanghai/raft/testing';

interface Node {
  readonly raft: RawNode;
  readonly storage: MemoryLogStorage;
  applied: number;
}

const confState = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const origin: Snapshot = { metadata: { index: 1, term: 1, confState }, data: new Uint8Array(0) };

/** Three cores in one thread, with storage in memory that is written to asynchronously and answers at once: what is left is the core. */
export class InProcessGroup {
  readonly #nodes: readonly Node[];

  constructor() {
    this.#nodes = confState.voters.map((id) => {
      const storage = new MemoryLogStorage();
      storage.applySnapshot(origin);
      const options = { id, storage, applied: 1, electionTick: 10, heartbeatTick: 1, random: () => id };
      return {
        raft: new RawNode({ ...options, asyncStorageWrites: true, maxSizePerMessage: 1_048_576 }),
        storage,
        applied: 0,
      };
    });
    this.#leader.raft.campaign();
    this.settle();
  }

  get #leader(): Node {
    return this.#nodes[0] as Node;
  }

  /** Entries that every node has applied. */
  get applied(): number {
    return Math.min(...this.#nodes.map(({ applied }) => applied));
  }

  /** Throws where the leader does not take it. */
  propose(commands: readonly Uint8Array[]): void {
    const dropped = this.#leader.raft.propose(...commands);
    if (dropped !== undefined) throw new Error(`a proposal was dropped: ${dropped}`);
  }

  /** Carries messages until there are none. */
  settle(): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const node of this.#nodes) {
        while (node.raft.hasReady) {
          isBusy = true;
          for (const message of node.raft.ready().messages) this.#carry(node, message);
        }
      }
    }
  }

  /** Gives up what everybody has applied. */
  compact(): void {
    for (const { raft, storage } of this.#nodes) storage.compact(raft.marks().applied);
  }

  #carry(node: Node, message: Message): void {
    const { type, entries, responses } = message;
    if (type === 'MsgStorageAppend') {
      node.storage.append(entries);
      if (message.term !== 0) node.storage.setHardState(message);
    } else if (type === 'MsgStorageApply') {
      node.applied += entries.length;
    } else {
      this.#nodeOf(message.to).raft.step(message);
    }
    for (const response of responses) this.#nodeOf(response.to).raft.step(response);
  }

  #nodeOf(id: number): Node {
    return this.#nodes[id - 1] as Node;
  }
}
