import { setTimeout as sleep } from 'node:timers/promises';

/** What `attempt` gives, asked again every 25 ms until it gives something; rejects with the last failure after `timeoutMs`. */
export async function until<T>(what: string, timeoutMs: number, attempt: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    const found = await attempt().catch((error: unknown) => {
      failure = error;
      return undefined;
    });
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: failure });
    await sleep(25);
  }
}
