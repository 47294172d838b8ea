import { connect } from '@shanghai/client/grpc';
import type { NodeDescription } from '../connection.js';
import type { NodeObservation, ObservedClock, ObservedDiagnostics } from './core/observation.js';

/** Who asks every node does not want to wait for one that is down. */
const longestMs = 3_000;

/** The first call also makes the connection; of the others the quickest says most about the clock. */
const readings = 4;

/** Asks one node, by its own address, what is needed to diagnose it, and reads its clock. Never rejects. */
export async function observe(node: NodeDescription, timeoutMs: number): Promise<NodeObservation> {
  if (node.grpcAddress === '') return { node, problem: 'its address is not known' };
  const own = { timeoutMs: Math.min(timeoutMs, longestMs), maxAttempts: 1 };
  const client = connect({ endpoints: [node.grpcAddress], ...own });
  try {
    let best: { readonly diagnostics: ObservedDiagnostics; readonly clock: ObservedClock } | undefined;
    for (let i = 0; i < readings; i++) {
      const sentMs = performance.now();
      const { clockMs, ...diagnostics } = await client.admin.diagnostics();
      const uncertaintyMs = (performance.now() - sentMs) / 2;
      // The node read its clock about when the answer was half way.
      const clock = { offsetMs: clockMs + uncertaintyMs - Date.now(), uncertaintyMs };
      if (best === undefined || uncertaintyMs < best.clock.uncertaintyMs)
        best = { diagnostics: { ...diagnostics, groups: diagnostics.groups.map((group) => ({ ...group })) }, clock };
    }
    if (best === undefined || best.diagnostics.nodeId === node.nodeId) return { node, ...best };
    return { node, problem: `node ${best.diagnostics.nodeId} answers at its address` };
  } catch (error) {
    return { node, problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await client.close();
  }
}
