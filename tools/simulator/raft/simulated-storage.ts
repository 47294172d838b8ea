/**
 * The durable log of a simulated node. What was written and not synced yet waits in order; a crash keeps any beginning
 * of it, cut between two records, as a log whose torn tail is cut does.
 */
import type { Random } from '@shanghai/env';
import { type Entry, type HardState, isEmptyHardState, type Message, type Snapshot } from '@shanghai/raft';
import { MemoryLogStorage } from '@shanghai/raft/testing';

type Record =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'hardState'; readonly hardState: HardState };

/** A log that loses what is not synced. */
export class SimulatedStorage extends MemoryLogStorage {
  readonly #unsynced: Record[] = [];
  /** The state machine as it is now, to be sent. */
  present: (() => Snapshot) | undefined;

  /** Writes a piece of work, without making it durable. */
  write({ entries, snapshot, term, vote, commit }: Message): void {
    if (snapshot !== undefined) this.#unsynced.push({ kind: 'snapshot', snapshot });
    // Entries first: a hard state that commits what was lost would be a log that cannot be opened.
    for (const entry of entries) this.#unsynced.push({ kind: 'entry', entry });
    const hardState = { term, vote, commit };
    if (!isEmptyHardState(hardState)) this.#unsynced.push({ kind: 'hardState', hardState });
  }

  /** Makes everything written durable. Returns how many of the records overwrote others. */
  sync(): number {
    let overwrites = 0;
    for (const record of this.#unsynced.splice(0)) {
      if (record.kind === 'entry' && record.entry.index <= this.lastIndex()) overwrites++;
      this.#keep(record);
    }
    return overwrites;
  }

  /** The power fails: a beginning of what was not synced may be there. Returns how many records are gone. */
  crash(random: Random): number {
    const written = this.#unsynced.length;
    const kept = random.below(written + 1);
    for (const record of this.#unsynced.splice(0).slice(0, kept)) this.#keep(record);
    return written - kept;
  }

  /** What a disk that lied about its syncs does when the power fails: the last entries are gone, although they were synced. */
  loseSynced(random: Random): void {
    const last = this.lastIndex() - random.below(8);
    if (last < this.firstIndex()) return;
    const entries = this.entries(last, last + 1, 1);
    if (typeof entries === 'string') return;
    this.append(entries);
    const { hardState } = super.initialState();
    this.setHardState({ ...hardState, commit: Math.min(hardState.commit, last) });
  }

  /** As after a restart: a state machine that is ahead of the stored commit index has it from somewhere. */
  override initialState() {
    const { hardState, confState } = super.initialState();
    const commit = Math.max(hardState.commit, this.kept().metadata.index);
    return { hardState: { ...hardState, commit }, confState };
  }

  override snapshot(): Snapshot {
    return this.present?.() ?? super.snapshot();
  }

  /** The snapshot that a restart begins with. */
  kept(): Snapshot {
    return super.snapshot();
  }

  #keep(record: Record): void {
    if (record.kind === 'snapshot') this.applySnapshot(record.snapshot);
    else if (record.kind === 'entry') this.append([record.entry]);
    else this.setHardState(record.hardState);
  }
}
