import type { BatchOperation, BitcaskEntry, RangeOptions, ReadOptions } from '@shanghai/bitcask';
import type { StateStore } from '../src/apply/state-store.js';

interface Held {
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** A store in a map: the twin of bitcask for tests of the state machine. Only what a state machine calls. */
export class MapStore {
  readonly held = new Map<string, Held>();
  batches = 0;

  /** Everything but this node's own notes, as one text: equal states give equal texts. */
  dump(): string {
    const lines = [...this.held].filter(([key]) => key.charCodeAt(0) !== 0xf0);
    lines.sort(([a], [b]) => (a < b ? -1 : 1));
    return lines
      .map(([key, { value, expiresAtMs }]) => {
        return `${Buffer.from(key, 'latin1').toString('hex')} ${Buffer.from(value).toString('hex')} ${expiresAtMs}`;
      })
      .join('\n');
  }

  asStore(): StateStore {
    return this as unknown as StateStore;
  }

  getEntrySync(key: Uint8Array, options: ReadOptions = {}): BitcaskEntry | undefined {
    const found = this.held.get(nameOf(key));
    const { horizonMs = 0 } = options;
    if (found === undefined || (found.expiresAtMs !== 0 && found.expiresAtMs <= horizonMs)) return undefined;
    return { key, ...found, sequence: 0 };
  }

  async getEntry(key: Uint8Array, options?: ReadOptions): Promise<BitcaskEntry | undefined> {
    return this.getEntrySync(key, options);
  }

  has(key: Uint8Array, options?: ReadOptions): boolean {
    return this.getEntrySync(key, options) !== undefined;
  }

  async *range(options: RangeOptions = {}): AsyncGenerator<BitcaskEntry> {
    const prefix = nameOf(options.prefix ?? new Uint8Array(0));
    for (const name of [...this.held.keys()].sort()) {
      const isIn =
        (options.start === undefined || name >= nameOf(options.start)) &&
        (options.end === undefined || name < nameOf(options.end));
      if (isIn && name.startsWith(prefix)) yield this.getEntrySync(Buffer.from(name, 'latin1')) as BitcaskEntry;
    }
  }

  async batch(operations: readonly BatchOperation[]): Promise<{ sequence: number }> {
    this.batches++;
    for (const operation of operations) {
      if (operation.type === 'delete') this.held.delete(nameOf(operation.key));
      else {
        const { value, expiresAtMs = 0 } = operation;
        this.held.set(nameOf(operation.key), { value: Uint8Array.from(value), expiresAtMs });
      }
    }
    return { sequence: this.batches };
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}
