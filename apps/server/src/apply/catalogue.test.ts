import { expect, test } from 'vitest';
import { Catalogue } from './catalogue.js';
import type { CatalogueCommand } from './catalogue-command.js';
import type { StateStore } from './state-store.js';
import { WriteSet } from './write-set.js';

const settings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
} as const;

test('what comes before the cluster is made is refused, and changes nothing', () => {
  const catalogue = new Catalogue();
  const apply = (change: CatalogueCommand) => {
    const writes = new WriteSet({} as StateStore);
    return { result: catalogue.apply(change, 0, writes), writes: writes.operations.length };
  };
  const refused = { result: { type: 'failed', code: 'CLUSTER_ERROR' }, writes: 0 };
  expect(apply({ type: 'createKeyspace', name: 'k' })).toMatchObject(refused);
  expect(apply({ type: 'createLog', name: 'l', origin: 1, settings })).toMatchObject(refused);
  expect(apply({ type: 'setReplication', factor: 5 })).toMatchObject(refused);
  apply({ type: 'bootstrap', clusterId: 'c', clusterVersion: 1, slots: 8, maxValueBytes: 100 });
  expect(apply({ type: 'createKeyspace', name: 'k' }).result).toMatchObject({ type: 'done' });
  expect(catalogue.keyspaceId('k')).toBe(1);
});
