import { describe, expect, it, vi } from 'vitest';
import { createTestClient } from '../testing/test-client.js';
import { onAbort } from './on-abort.js';

describe('onAbort', () => {
  it('calls everybody who still waits, once, over one listener', () => {
    const controller = new AbortController();
    const added = vi.spyOn(controller.signal, 'addEventListener');
    const called: number[] = [];
    const stops = Array.from({ length: 100 }, (_, i) => onAbort(controller.signal, () => called.push(i)));
    for (const stop of stops.slice(3)) stop();
    stops[1]?.();
    controller.abort();
    controller.abort();
    stops[0]?.();
    expect(called).toEqual([0, 2]);
    expect(added).toHaveBeenCalledTimes(1);
  });

  it('leaves no listener behind when nobody waits, and can begin again', () => {
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    onAbort(controller.signal, () => {})();
    expect(removed).toHaveBeenCalledTimes(1);
    const called: string[] = [];
    onAbort(controller.signal, () => called.push('again'));
    controller.abort();
    expect(called).toEqual(['again']);
  });
});

describe('a signal shared by many calls', () => {
  it('has one listener while they go on and none afterwards', async () => {
    const { client } = createTestClient();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await Promise.all(Array.from({ length: 50 }, (_, i) => client.put(`${i}`, 'x', { signal })));
    await Promise.all(Array.from({ length: 50 }, () => client.status({ signal })));
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed).toHaveBeenCalledTimes(2);
  });
});
