import { createSeededRandom } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { describe, expect, it } from 'vitest';
import { createMemoryTransport } from '../testing/memory-transport.js';
import { ClusterNodes, isUsableAddress } from './cluster-nodes.js';

function nodesAt(...addresses: string[]) {
  const clock = createManualClock();
  const nodes = new ClusterNodes(createMemoryTransport(), addresses, clock, createSeededRandom(1));
  return { nodes, clock, known: () => nodes.all.map(({ address }) => address) };
}

describe('the nodes a client knows', () => {
  it('are its endpoints and those it learned, and of these only those still listed', () => {
    const { nodes, known } = nodesAt('a:1', 'b:1', 'a:1');
    const gone: string[] = [];
    nodes.whenGone(({ address }) => gone.push(address));
    nodes.learn([
      { nodeId: 1, address: 'a:1' },
      { nodeId: 3, address: 'c:1' },
      { nodeId: 4, address: 'd:1' },
    ]);
    expect(known()).toEqual(['a:1', 'b:1', 'c:1', 'd:1']);
    nodes.learn([{ nodeId: 4, address: 'd:1' }]);
    expect([known(), gone]).toEqual([['a:1', 'b:1', 'd:1'], ['c:1']]);
    nodes.learn([]);
    expect(known()).toEqual(['a:1', 'b:1', 'd:1']);
  });

  it('keep the address under which they were reached', () => {
    const { nodes, known } = nodesAt('tunnel:1');
    nodes.at('tunnel:1').nodeId = 7;
    nodes.learn([{ nodeId: 7, address: 'inside:1' }]);
    expect(known()).toEqual(['tunnel:1']);
    expect(nodes.withId(7)?.address).toBe('tunnel:1');
  });

  it('do not hold addresses that lead nowhere', () => {
    const { nodes, known } = nodesAt('a:1');
    nodes.learn([
      { nodeId: 2, address: '' },
      { nodeId: 3, address: '0.0.0.0:9090' },
    ]);
    expect(known()).toEqual(['a:1']);
    expect(['host:9090', '[::1]:1', '10.0.0.1:65535'].every(isUsableAddress)).toBe(true);
    expect(['host', ':1', '[::]:9090', 'host:0', 'host:port', '0.0.0.0:1'].some(isUsableAddress)).toBe(false);
  });

  it('are tried in turn, healthy ones first, and a failed one again after its time', async () => {
    const { nodes, clock } = nodesAt('a:1', 'b:1', 'c:1');
    const [a, b, c] = nodes.all;
    b?.failed();
    expect(nodes.next(a)).toBe(c);
    expect(nodes.next(c)).toBe(a);
    a?.failed();
    c?.failed();
    expect(nodes.next(a)).toBe(b);
    await clock.advance(500);
    expect(b?.isHealthy).toBe(true);
    b?.failed();
    await clock.advance(500);
    expect(b?.isHealthy).toBe(false);
    b?.succeeded();
    expect(b?.isHealthy).toBe(true);
  });

  it('share work by load, and those that failed get none', () => {
    const { nodes } = nodesAt('a:1', 'b:1', 'c:1');
    nodes.at('b:1').failed();
    for (let i = 0; i < 1_000; i++) nodes.pick().load++;
    expect(nodes.at('b:1').load).toBe(0);
    expect(Math.abs(nodes.at('a:1').load - nodes.at('c:1').load)).toBeLessThanOrEqual(1);
  });
});
