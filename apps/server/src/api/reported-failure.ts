import type { Logger } from '@shanghai/telemetry';
import { type WireFailure, wireFailure } from './error-mapping.js';

/** What the caller is told. An internal error and damaged data are logged, with stack, here and nowhere else; other failures at debug level. */
export function reportedFailure(error: unknown, correlationId: string, method: string, logger: Logger): WireFailure {
  const wire = wireFailure(error, correlationId);
  if (wire.code === 'INTERNAL_ERROR') {
    logger.error({ err: error, correlationId, method }, 'a request failed by a defect of the server');
  } else if (wire.code === 'DATA_CORRUPTED') {
    logger.error({ err: error, correlationId, method }, 'stored data is damaged');
  } else if (logger.isLevelEnabled('debug')) {
    logger.debug({ correlationId, method, code: wire.code }, wire.message);
  }
  return wire;
}
