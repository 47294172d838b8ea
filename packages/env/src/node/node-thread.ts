import { isMainThread, type MessagePort, parentPort, type Transferable, Worker } from 'node:worker_threads';

/**
 * Threads for work that would hold the event loop: one module, started with what it needs to know, then messages both
 * ways. Messages are cloned as `structuredClone` does; buffers named in `transfer` move without a copy and are empty
 * at the sender afterwards.
 */

/** A thread that was started. */
export interface Thread {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Ends the thread where it stands. Resolves when it is gone; idempotent. */
  terminate(): Promise<void>;
}

/** What the starter of a thread hears. */
export interface ThreadListener {
  message(message: unknown): void;
  /** Once, and the last: the thread is gone. `error` is what it threw, or `undefined` where it just ended. */
  ended(error: Error | undefined): void;
}

/** The other side, within the thread. */
export interface ThreadPort {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Hears messages from now on; until `close` the thread stays alive for them. */
  listen(onMessage: (message: unknown) => void): void;
  close(): void;
}

/**
 * Starts `module` on a thread of its own with at most `maxHeapMb` of script heap. Throws where the system has none to
 * give; a module that cannot be loaded is heard of as `ended`.
 */
export function startThread(module: URL, maxHeapMb: number, listener: ThreadListener): Thread {
  const worker = new Worker(module, { resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } });
  let failure: Error | undefined;
  worker.on('message', (message) => listener.message(message));
  worker.on('messageerror', (error) => {
    failure ??= error;
    void worker.terminate();
  });
  worker.on('error', (error) => {
    failure ??= error instanceof Error ? error : new Error(String(error));
  });
  worker.on('exit', () => listener.ended(failure));
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer as Transferable[]),
    terminate: async () => {
      await worker.terminate();
    },
  };
}

/** The port of the thread that asks, or `undefined` on the main one. */
export function ownThreadPort(): ThreadPort | undefined {
  if (isMainThread || parentPort === null) return undefined;
  const port: MessagePort = parentPort;
  return {
    post: (message, transfer = []) => port.postMessage(message, transfer as Transferable[]),
    listen: (onMessage) => {
      port.on('message', onMessage);
    },
    close: () => port.close(),
  };
}
