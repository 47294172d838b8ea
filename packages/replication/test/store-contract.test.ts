import { nodeClock } from '@shanghai/env';
import { test } from 'vitest';
import { stampedPayload } from '../src/core/stamped-payload.js';
import { type EntryStoreSubject, entryStoreContract } from '../src/testing/entry-store-contract.js';
import { MemoryEntryDirectory } from '../src/testing/memory-entry-directory.js';
import { MemoryEntryStore } from '../src/testing/memory-entry-store.js';

function subjectOn(directory: MemoryEntryDirectory, epochs: { last: number }): EntryStoreSubject {
  const store = new MemoryEntryStore({ nodeId: 1, nextEpoch: () => ++epochs.last, clock: nodeClock(), directory });
  return {
    store,
    append: (logId, data) => store.append(logId, data),
    trim: (stream, firstSequence) => store.trim(stream, firstSequence),
    payloadOf: stampedPayload,
    reopen: async () => {
      store.crash();
      return subjectOn(directory, epochs);
    },
    close: async () => store.crash(),
  };
}

for (const { name, run } of entryStoreContract) {
  test(`a store in memory: ${name}`, () => run(async () => subjectOn(new MemoryEntryDirectory(), { last: 0 })));
}
