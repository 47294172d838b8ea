import type { ResponseHeader } from '@shanghai/proto';
import type { Freshness } from './key-value-store.js';
import { noBytes, toNumber } from './wire/wire-values.js';

/** What this client has seen: the token of the last answer, which its reads of level `session` carry. */
export class SessionToken {
  #latest: Buffer = noBytes;

  /** The token, empty while nothing was seen. */
  get latest(): Buffer {
    return this.#latest;
  }

  /** Takes in what an answer says, and returns it for its caller. */
  observe(header: ResponseHeader | undefined): Freshness {
    if (header === undefined) return { staleMs: 0, token: this.#latest };
    if (header.token.length > 0) this.#latest = header.token;
    return { staleMs: toNumber(header.staleMs), token: header.token };
  }
}
