import type { Entry, Snapshot, SnapshotMetadata } from '../core/entry.js';
import type { StateMachine, StateSnapshot } from '../ports/state-machine.js';

/** A state machine that keeps every command in memory, in order. The result of a command is how many there are with it. */
export class MemoryStateMachine implements StateMachine<number> {
  #appliedIndex = 0;
  #commands: Uint8Array[] = [];
  #restored: SnapshotMetadata | undefined;

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get restored(): SnapshotMetadata | undefined {
    return this.#restored;
  }

  get commands(): readonly Uint8Array[] {
    return this.#commands;
  }

  async apply(entries: readonly Entry[]): Promise<readonly (number | undefined)[]> {
    return entries.map(({ index, type, data }) => {
      if (index <= this.#appliedIndex) return undefined;
      this.#appliedIndex = index;
      return type === 'EntryNormal' && data.length > 0 ? this.#commands.push(data) : undefined;
    });
  }

  /** Length (u32, little-endian) and bytes of each command. */
  async snapshot(): Promise<StateSnapshot> {
    const bytes = new Uint8Array(this.#commands.reduce((sum, { length }) => sum + 4 + length, 0));
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const command of this.#commands) {
      view.setUint32(at, command.length, true);
      bytes.set(command, at + 4);
      at += 4 + command.length;
    }
    return { data: bytes };
  }

  async restore({ metadata, data }: Snapshot): Promise<void> {
    if (metadata.index <= this.#appliedIndex) return;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const commands: Uint8Array[] = [];
    for (let at = 0; at < data.length; ) {
      const length = view.getUint32(at, true);
      commands.push(data.slice(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#commands = commands;
    this.#appliedIndex = metadata.index;
    this.#restored = metadata;
  }
}
