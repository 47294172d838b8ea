import { describe, expect, test } from 'vitest';
import { publishedData } from '../conformance/published-data.js';
import { checkFolder } from './check-folder.js';

const folder = publishedData('histories');

describe.skipIf(folder === undefined)('published histories (skipped where they are not beside the checkout)', () => {
  test('get the verdicts that came with them', () => {
    const wrong: string[] = [];
    const results = checkFolder(folder as string, { seconds: 10, pictures: undefined });
    for (const { name, verdict, expected } of results) if (verdict !== expected) wrong.push(`${name}: ${verdict}`);
    expect(wrong).toEqual([]);
    expect(results.length).toBeGreaterThan(0);
  });
});
