import { CtlError } from './ctl-error.js';
import type { OfflineTools } from './offline-tools.js';

/** The stores' own offline functions. */
export function storageTools(): OfflineTools {
  throw new CtlError('UNSUPPORTED', 'this build has no offline tools');
}
