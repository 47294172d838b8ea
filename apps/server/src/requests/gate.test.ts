import { expect, it } from 'vitest';
import { Gate } from './gate.js';
import type { RequestContext } from './request-context.js';

function context(isCancelled: boolean): RequestContext {
  return {
    isCancelled,
    correlationId: 'test',
    get signal(): AbortSignal {
      throw new Error('a request of one answer made a signal');
    },
  };
}

it('lets a request in without making its signal', () => {
  expect(() => new Gate().enter(context(false))).not.toThrow();
});

it('refuses a request whose caller gave up, without making its signal', () => {
  expect(() => new Gate().enter(context(true))).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
});

it('refuses every request once it is closed', () => {
  const gate = new Gate();
  gate.close();
  expect(() => gate.enter(context(false))).toThrow(expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }));
  expect(gate.closed.aborted).toBe(true);
});
