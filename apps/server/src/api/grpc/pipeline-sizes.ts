/** About how many bytes pipelined requests and answers hold: their payloads and a flat amount for the rest. */
import type { PipelineRequest, PipelineResponse, WriteOperation } from '@shanghai/proto';

const flatBytes = 32;

/** Bytes that a request keeps in memory until it is answered. */
export function pipelineRequestBytes(request: NonNullable<PipelineRequest['request']>): number {
  switch (request.$case) {
    case 'get':
    case 'delete':
      return flatBytes + request.value.key.length;
    case 'put':
    case 'append':
      return flatBytes + request.value.key.length + request.value.value.length;
    case 'batch':
    case 'transact':
      return request.value.operations.reduce((bytes, operation) => bytes + operationBytes(operation), flatBytes);
    case 'group':
      return flatBytes;
  }
}

function operationBytes({ operation }: WriteOperation): number {
  if (operation === undefined) return flatBytes;
  const value = operation.$case === 'delete' ? 0 : operation.value.value.length;
  return flatBytes + operation.value.key.length + value;
}

/** Bytes of an answer on the wire. */
export function pipelineResponseBytes(response: PipelineResponse['response']): number {
  if (response?.$case === 'get') return flatBytes + response.value.value.length;
  if (response?.$case === 'batch' || response?.$case === 'transact')
    return flatBytes * (1 + response.value.results.length);
  return flatBytes;
}
