import { expect, test } from 'vitest';
import type { MergeHost, MergeJob } from './merge-job.js';
import { copyOnThread, NoMergeThread } from './merge-thread.js';

const job: MergeJob = {
  directory: '/nowhere',
  inputs: [],
  others: [],
  horizonMs: 0,
  segmentBytes: 4_096,
  batchRecords: 1,
  windowBytes: 4_096,
};

const host: MergeHost = {
  judge: async () => new Uint8Array(0),
  newOutput: async () => {
    throw new Error('the store says no');
  },
  spend: async () => undefined,
};

/** A thread that says it is ready and then does as `body` says; `port` is its end. */
function threadThat(body: string): URL {
  const source = `import { parentPort as port } from 'node:worker_threads'; port.postMessage({ kind: 'ready' }); ${body}`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

test('a thread that cannot be started has done nothing, and says so', async () => {
  const missing = new URL('./no-such-module.js', import.meta.url);
  await expect(copyOnThread(job, host, missing)).rejects.toBeInstanceOf(NoMergeThread);
});

test('a thread that ends, throws, or runs out of memory fails its merge and nothing else', async () => {
  const endings = [
    'port.on("message", () => process.exit(3))',
    'port.on("message", () => { throw new Error("lost its way"); })',
    'port.on("message", () => { const all = []; for (;;) all.push(new Array(100_000).fill(all.length)); })',
  ];
  const whys = ['it ended', 'lost its way', /memory/];
  for (const [i, ending] of endings.entries()) {
    const copying = copyOnThread(job, host, threadThat(ending));
    await expect(copying).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(copying).rejects.toThrow(whys[i]);
  }
});

test('what the store refused with is what the merge rejects with', async () => {
  const asking = threadThat(`port.on('message', ({ kind }) => {
    if (kind === 'job') port.postMessage({ kind: 'newOutput', call: 1 });
    if (kind !== 'refused') return;
    port.postMessage({ kind: 'failed', failure: { origin: 'refused', message: '', code: '', details: {} } });
    port.close();
  })`);
  await expect(copyOnThread(job, host, asking)).rejects.toThrow('the store says no');
});

test('errors keep their code on the way between threads', async () => {
  const failing = (failure: unknown) =>
    threadThat(
      `port.on('message', () => { port.postMessage({ kind: 'failed', failure: ${JSON.stringify(failure)} }); port.close(); })`,
    );
  const details = { code: 'ENOSPC', syscall: 'write' };
  const full = copyOnThread(job, host, failing({ origin: 'errno', message: 'full', code: 'ENOSPC', details }));
  await expect(full).rejects.toMatchObject({ code: 'ENOSPC', syscall: 'write', message: 'full' });
  const corrupt = { origin: 'bitcask', message: 'torn', code: 'CORRUPT', details: { file: 'x' } };
  const damaged = copyOnThread(job, host, failing(corrupt));
  await expect(damaged).rejects.toMatchObject({ name: 'BitcaskError', code: 'CORRUPT', details: { file: 'x' } });
});
