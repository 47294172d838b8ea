import { isErrno } from '@shanghai/env';

const codes = ['ENOSPC', 'EDQUOT', 'DISK_FULL'];

/** Whether an error, of the file system or of a store or log on it, says that there is no space. */
export function isDiskFull(error: unknown): boolean {
  return codes.some((code) => isErrno(error, code));
}
