/**
 * What the positions of a peer say about this node. A peer that holds more of what this node wrote than this node itself
 * was there before its directory was put back: what it writes from now on must have other names. A peer that holds
 * another entry under the same name shows that this was not done in time; there is no order between the two.
 */
import { compareHlc, zeroHlc } from './hlc.js';
import type { StreamPosition } from './stream-position.js';
import type { VersionVector } from './version-vector.js';

/** The first of a peer's positions by which this node has lost something of its own; `undefined` where there is none. */
export function findReversion(
  held: VersionVector,
  own: number,
  positions: readonly StreamPosition[],
): StreamPosition | undefined {
  return positions.find(
    ({ stream, lastSequence }) => stream.origin === own && lastSequence > (held.get(stream)?.lastSequence ?? 0),
  );
}

/** The first of a peer's positions that names another entry than this node has there; `undefined` where there is none. */
export function findDivergence(held: VersionVector, positions: readonly StreamPosition[]): StreamPosition | undefined {
  return positions.find(({ stream, lastSequence, lastHlc }) => {
    const mine = held.get(stream);
    if (mine === undefined || mine.lastSequence !== lastSequence) return false;
    const isKnown = compareHlc(mine.lastHlc, zeroHlc) !== 0 && compareHlc(lastHlc, zeroHlc) !== 0;
    return isKnown && compareHlc(mine.lastHlc, lastHlc) !== 0;
  });
}
