const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `callback` once when the signal aborts, until the returned function is called. A signal that aborted already
 * calls nobody. However many wait on one signal, it has one listener: callers share a signal between thousands of
 * calls, and Node warns of a leak from the eleventh listener on.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = callbacksOf.get(signal);
  if (callbacks === undefined) {
    callbacks = new Set();
    callbacksOf.set(signal, callbacks);
  }
  const waiting = callbacks;
  if (waiting.size === 0) signal.addEventListener('abort', callAll, { once: true });
  waiting.add(callback);
  return () => {
    if (waiting.delete(callback) && waiting.size === 0) signal.removeEventListener('abort', callAll);
  };
}

function callAll(event: Event): void {
  const callbacks = callbacksOf.get(event.target as AbortSignal);
  if (callbacks === undefined) return;
  const all = [...callbacks];
  callbacks.clear();
  for (const callback of all) callback();
}
