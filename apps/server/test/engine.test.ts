import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe } from 'vitest';
import { engineNames } from '../src/engine/storage-engine.js';
import { engineContract } from './engine-contract.js';

describe.each(engineNames)('engine %s', (name) => {
  const root = mkdtempSync(`${tmpdir()}/shanghai-engine-${name}-`);
  afterAll(() => rmSync(root, { recursive: true }));
  engineContract(name, root);
});
