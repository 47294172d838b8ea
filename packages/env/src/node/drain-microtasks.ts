/** Resolves when the microtasks that wait now, and those they make, have run. */
export function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
