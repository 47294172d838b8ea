import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * Why a group's snapshot cannot be taken, gathered or put in. Nothing of the group's state was changed.
 * `INCOMPLETE`: not all of it was gathered. `DAMAGED`: what came is not what was said, or not what the log says. `NO_SPACE`: the disk is full.
 * `NOT_NEWER`: the group is as far itself.
 */
export type GroupSnapshotErrorCode =
  | 'DAMAGED'
  | 'INCOMPLETE'
  | 'NOT_NEWER'
  | 'NO_SPACE'
  | 'OTHER_ENGINE'
  | 'OTHER_GROUP'
  | 'UNSUPPORTED_FORMAT';

/** A failure of a group's snapshot. */
export class GroupSnapshotError extends CodedError<GroupSnapshotErrorCode> {
  constructor(code: GroupSnapshotErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
