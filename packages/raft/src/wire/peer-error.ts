import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `MALFORMED`: bytes that are not of the protocol. `REFUSED`: a node that is not the one that was wanted, or does not
 * want this one. `UNREACHABLE`: no connection, or one that broke. `BUSY`: it takes no more at present. `SNAPSHOT_REFUSED`: the receiver does not want it, or
 * cannot keep it. `SNAPSHOT_DAMAGED`: what arrived is not what was sent. `CLOSED`: used after its end. `LISTEN_FAILED`:
 * the address cannot be had.
 */
export type PeerErrorCode =
  | 'MALFORMED'
  | 'REFUSED'
  | 'UNREACHABLE'
  | 'BUSY'
  | 'SNAPSHOT_REFUSED'
  | 'SNAPSHOT_DAMAGED'
  | 'CLOSED'
  | 'LISTEN_FAILED';

/** What went wrong between two nodes. */
export class PeerError extends CodedError<PeerErrorCode> {
  constructor(code: PeerErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
