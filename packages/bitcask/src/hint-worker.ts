import { blockingDisk, nodeDisk, ownThreadPort, type ThreadPort } from '@shanghai/env';
import { buildHint } from './build-hint.js';
import type { FromHintThread, HintRequest } from './hint-thread.js';

/**
 * The module a hint's thread runs: takes one segment, reads it with blocking calls (nobody else waits here), writes its
 * hint, says whether it could, and ends. Does nothing where it is loaded on the main thread.
 */
function serve(port: ThreadPort): void {
  port.listen((received) => void run(port, received as HintRequest));
  port.post({ kind: 'ready' } satisfies FromHintThread);
}

async function run(port: ThreadPort, request: HintRequest): Promise<void> {
  let written = false;
  try {
    await buildHint(blockingDisk(nodeDisk()), request.directory, request.segment);
    written = true;
  } catch {
    // Whoever reads the segment will meet what is wrong with it, with a typed error.
  }
  port.post({ kind: 'ended', written } satisfies FromHintThread);
  port.close();
}

const port = ownThreadPort();
if (port !== undefined) serve(port);
