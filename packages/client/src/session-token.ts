import type { ResponseHeader } from '@shanghai/proto';
import type { Freshness } from './key-value-store.js';
import { noBytes, toNumber } from './wire/wire-values.js';

/** The applied index at the end of a token, 64 bits, most significant byte first. */
const indexBytes = 8;

/**
 * What this client has seen: the newest token, which its reads of level `session` carry.
 *
 * Answers do not come in the order of what they saw: a page of a range may have waited long for its consumer. So of two
 * tokens that differ only in the index at their end the larger one is kept; of others the one that came last.
 */
export class SessionToken {
  #newest: Buffer = noBytes;

  /** The token, empty while nothing was seen. */
  get newest(): Buffer {
    return this.#newest;
  }

  /** Takes in what an answer says, and returns it for its caller. */
  observe(header: ResponseHeader | undefined): Freshness {
    if (header === undefined) return { staleMs: 0, token: this.#newest };
    const { token } = header;
    if (token.length > 0 && !this.#isOlder(token)) this.#newest = token;
    return { staleMs: toNumber(header.staleMs), token };
  }

  #isOlder(token: Buffer): boolean {
    const newest = this.#newest;
    const prefixBytes = token.length - indexBytes;
    if (token.length !== newest.length || prefixBytes < 0) return false;
    return token.compare(newest, 0, prefixBytes, 0, prefixBytes) === 0 && token.compare(newest) < 0;
  }
}
