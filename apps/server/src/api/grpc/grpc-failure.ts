import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { type ErrorCode, errorTable, wireMetadata } from '@shanghai/proto';
import type { Logger } from '@shanghai/telemetry';
import { reportedFailure } from '../reported-failure.js';

/** Details above this are left out of the trailers: transports limit header blocks, commonly to 8 KiB. */
const maxDetailBytes = 4_096;

/** Details of a failure as JSON, or `undefined` where there are none or they are too large. */
export function detailsJson(details: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.keys(details).length === 0) return undefined;
  const json = JSON.stringify(details);
  return Buffer.byteLength(json) > maxDetailBytes ? undefined : json;
}

/** A failure as grpc-js takes it: status, message, and the code and details in the trailers. */
export type GrpcFailure = Pick<ServiceError, 'code' | 'details' | 'message' | 'name' | 'metadata'>;

/** Translates, and logs what is a defect of ours: here, once. */
export function grpcFailure(
  error: unknown,
  correlationId: string,
  method: string,
  logger: Logger,
): { readonly failure: GrpcFailure; readonly code: ErrorCode } {
  const wire = reportedFailure(error, correlationId, method, logger);
  const metadata = new Metadata();
  metadata.set(wireMetadata.errorCode, wire.code);
  metadata.set(wireMetadata.correlationId, correlationId);
  const json = detailsJson(wire.details);
  if (json !== undefined) metadata.set(wireMetadata.errorDetails, Buffer.from(json));
  const leader = wire.details['leader'];
  if (typeof leader === 'string' && leader !== '') metadata.set(wireMetadata.leader, leader);
  const { grpc } = errorTable[wire.code];
  return {
    code: wire.code,
    failure: { name: 'ServiceError', code: grpc, details: wire.message, message: wire.message, metadata },
  };
}
