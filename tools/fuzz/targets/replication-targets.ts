import { ReplicationError } from '../../../packages/replication/src/core/replication-error.js';
import { checkRun, packEntries, unpackEntries } from '../../../packages/replication/src/core/run.js';
import type { FuzzTarget } from '../fuzz-target.js';

const entries = ['one', '', 'a longer one'].map((text) => new Uint8Array(Buffer.from(text)));

function runOf(bytes: Uint8Array) {
  const stream = { logId: 1, origin: 2, epoch: 3 };
  return { stream, firstSequence: 1, count: entries.length, lastHlc: { ms: 1, counter: 0 }, bytes };
}

/** What one node ships to another. */
export const replicationTargets: readonly FuzzTarget[] = [
  {
    name: 'replication: entries of a run',
    examples: () => [packEntries(entries)],
    decode: (bytes) => {
      checkRun(runOf(bytes));
      return unpackEntries(runOf(bytes));
    },
    refusals: [ReplicationError],
    encode: (payloads: readonly Uint8Array[]) => packEntries(payloads),
  },
];
