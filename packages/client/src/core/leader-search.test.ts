import { describe, expect, it } from 'vitest';
import { LeaderSearch, maxHopsInARow } from './leader-search.js';

describe('the search for a leader', () => {
  it('follows the hint of a refusal, and forgets who refused', () => {
    const search = new LeaderSearch<string>();
    expect(search.refused('a', 'b', 2)).toBe('follow');
    expect(search.leader).toBe('b');
    expect(search.refused('b', undefined, 2)).toBe('follow');
    expect(search.leader).toBeUndefined();
  });

  it('follows only a few hints in a row, then waits, and begins again', () => {
    const search = new LeaderSearch<string>();
    const steps = Array.from({ length: 2 * (maxHopsInARow + 1) }, (_, i) =>
      i % 2 === 0 ? search.refused('a', 'b', 1) : search.refused('b', 'a', 1),
    );
    const round = [...Array<string>(maxHopsInARow).fill('follow'), 'wait'];
    expect(steps).toEqual([...round, ...round]);
  });

  it('asks each other node once before it waits, where nobody names a leader', () => {
    const search = new LeaderSearch<string>();
    const step = (node: string) => search.refused(node, undefined, 2);
    expect(['a', 'b', 'c', 'a', 'b', 'c'].map(step)).toEqual(['follow', 'follow', 'wait', 'follow', 'follow', 'wait']);
    expect(new LeaderSearch<string>().refused('alone', undefined, 0)).toBe('wait');
  });

  it('counts hints anew once a write was done, and only then', () => {
    const search = new LeaderSearch<string>();
    for (let i = 0; i < maxHopsInARow; i++) search.refused(i % 2 === 0 ? 'a' : 'b', i % 2 === 0 ? 'b' : 'a', 1);
    search.proved('b');
    expect(search).toMatchObject({ leader: 'b', isProven: true });
    expect(search.refused('b', 'a', 1)).toBe('follow');
    expect(search.isProven).toBe(false);
  });

  it('does not listen to a node that was left already', () => {
    const search = new LeaderSearch<string>();
    search.proved('b');
    expect(search.refused('a', 'c', 2)).toBe('follow');
    expect(search).toMatchObject({ leader: 'b', isProven: true });
  });

  it('does not take a node at its word that names itself', () => {
    const search = new LeaderSearch<string>();
    search.refused('a', 'a', 2);
    expect(search.leader).toBeUndefined();
  });

  it('believes others while nobody is proven, and against a proven one only who insists', () => {
    const search = new LeaderSearch<string>();
    search.told('a', false);
    expect(search.leader).toBe('a');
    search.proved('b');
    search.told('c', false);
    expect(search.leader).toBe('b');
    search.told('c', true);
    expect(search).toMatchObject({ leader: 'c', isProven: false });
  });

  it('forgets a leader that was lost, and no other', () => {
    const search = new LeaderSearch<string>();
    search.proved('a');
    search.lost('b');
    expect(search.leader).toBe('a');
    search.lost('a');
    expect(search).toMatchObject({ leader: undefined, isProven: false });
  });
});
