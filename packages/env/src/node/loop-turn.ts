/**
 * Resolves after the event loop has turned once: timers that are due and input that is there were served. Long work
 * on data that is at hand waits for it now and then, since promises alone let nothing else run.
 */
export function loopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
