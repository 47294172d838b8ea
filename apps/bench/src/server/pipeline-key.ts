/** How many keys the streaming cases use. */
export const pipelineKeys = 10_000;

/** The key of a request by its number; numbers beyond the keys begin anew. */
export function pipelineKey(number: number): string {
  return `bench:${String(number % pipelineKeys).padStart(10, '0')}`;
}
