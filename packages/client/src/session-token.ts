import type { ResponseHeader } from '@shanghai/proto';
import type { Freshness } from './key-value-store.js';
import { isVectorToken, mergeVectorTokens } from './wire/vector-token-wire.js';
import { noBytes, toNumber } from './wire/wire-values.js';

/** The applied index at the end of a token, 64 bits, most significant byte first. */
const indexBytes = 8;

/** Groups whose token is kept; of more, those heard least lately are forgotten. */
const maxGroups = 1_024;

/**
 * What this client has seen: the newest token of each group, which its reads of level `session` carry.
 *
 * Answers do not come in the order of what they saw: a page of a range may have waited long for its consumer, and
 * replicas lie behind each other. So of two tokens that differ only in the index at their end, which are those of one
 * group, the larger one is kept: whatever replica answers, a reader never goes back.
 */
export class SessionToken {
  #newest: Buffer = noBytes;
  /** The greatest token by what stands before its index. */
  readonly #ofGroups = new Map<string, Buffer>();
  /** Of keyspaces that every node writes, by name: all that was seen, at whatever node. */
  readonly #vectors = new Map<string, Buffer>();

  /** The token of the group that was heard last, empty while nothing was seen. */
  get newest(): Buffer {
    return this.#newest;
  }

  /** What was seen of a keyspace that every node writes, empty while nothing was. */
  vectorOf(keyspace: string): Buffer {
    return this.#vectors.get(keyspace) ?? noBytes;
  }

  /** Takes in what an answer says, and returns it for its caller. */
  observe(header: ResponseHeader | undefined, keyspace = ''): Freshness {
    if (header === undefined) return { staleMs: 0, token: this.#newest };
    const { token } = header;
    if (isVectorToken(token)) this.#vectors.set(keyspace, mergeVectorTokens(this.vectorOf(keyspace), token));
    else if (token.length > 0) this.#keep(token);
    return { staleMs: toNumber(header.staleMs), token };
  }

  #keep(token: Buffer): void {
    // Answers that come together have one object.
    if (token === this.#newest) return;
    if (isSameGroup(token, this.#newest)) {
      if (token.compare(this.#newest) > 0) this.#newest = token;
      return;
    }
    // Another group than last time: rare, so only then is the map touched.
    if (this.#newest.length > 0) this.#file(this.#newest);
    const group = groupOf(token);
    const known = this.#ofGroups.get(group);
    this.#newest = known !== undefined && known.compare(token) > 0 ? known : token;
  }

  #file(token: Buffer): void {
    const group = groupOf(token);
    this.#ofGroups.delete(group);
    this.#ofGroups.set(group, token);
    if (this.#ofGroups.size <= maxGroups) return;
    for (const oldest of this.#ofGroups.keys()) {
      this.#ofGroups.delete(oldest);
      return;
    }
  }
}

function isSameGroup(one: Buffer, other: Buffer): boolean {
  const prefixBytes = one.length - indexBytes;
  return one.length === other.length && prefixBytes >= 0 && one.compare(other, 0, prefixBytes, 0, prefixBytes) === 0;
}

/** What stands before the index, and the length. */
function groupOf(token: Buffer): string {
  return `${token.length}:${token.toString('latin1', 0, Math.max(0, token.length - indexBytes))}`;
}
