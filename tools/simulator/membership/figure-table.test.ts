import { expect, test } from 'vitest';
import { FigureTable } from './figure-table.js';

test('figures of several runs stand side by side, and what a run lacks is empty', () => {
  const table = new FigureTable();
  table.add('3', 'messages', '0.4');
  table.add('3', 'crashes', '20');
  table.add('10', 'messages', '1.9');
  expect(table.text('seed 5').split('\n')).toEqual([
    '| seed 5 | 3 | 10 |',
    '| --- | --- | --- |',
    '| messages | 0.4 | 1.9 |',
    '| crashes | 20 |  |',
  ]);
});
