import type { HintEntry } from './core/hint-codec.js';
import type { Segment } from './core/segment.js';
import { openHint } from './hint-reader.js';
import type { StoreContext } from './store-context.js';

/** A slice is no longer than this: others wait for the thread. */
const sliceMs = 2;
/** Keys between looks at the clock. */
const keysBetweenLooks = 256;

/** Where a walk stands; both are valid within the visit only. */
export interface HintStanding {
  readonly entry: HintEntry;
  readonly key: () => Uint8Array;
}

/** Goes through a segment's hint in short slices. Rejects with `HintInvalid`, or an `Error` where there is no valid hint. */
export async function walkHint(
  store: StoreContext,
  segment: Segment,
  visit: (standing: HintStanding) => void,
): Promise<void> {
  const { disk, directory, clock } = store.options;
  const hint = await openHint(disk, directory, segment);
  if (hint === undefined) throw new Error(`the hint of '${store.pool.pathOf(segment.fileId)}' cannot be read`);
  const standing = { entry: hint.entry, key: () => hint.key() };
  let sliceEndMs = clock.monotonicMs() + sliceMs;
  let visited = 0;
  try {
    while (await hint.load()) {
      while (hint.advance()) {
        visit(standing);
        if (++visited % keysBetweenLooks !== 0 || clock.monotonicMs() < sliceEndMs) continue;
        await hint.breathe();
        sliceEndMs = clock.monotonicMs() + sliceMs;
      }
    }
  } finally {
    await hint.close();
  }
}
