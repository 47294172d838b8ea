/** doctor: what is wrong with a cluster, why it matters, what to do. */
import type { Command } from 'commander';
import { type CommandContext, type Host, runWith } from '../command-host.js';
import { CtlError } from '../ctl-error.js';
import { comparedClocks } from '../doctor/core/clock-rules.js';
import { diagnose } from '../doctor/core/diagnose.js';
import { type Finding, worstOf } from '../doctor/core/finding.js';
import { ms } from '../doctor/core/node-rules.js';
import { answering, type NodeObservation } from '../doctor/core/observation.js';
import type { Field } from '../output/printer.js';
import { help, remoteExits } from './command-help.js';

/** Adds `doctor`. */
export function addDoctorCommand(program: Command, host: Host): void {
  const doctor = program
    .command('doctor')
    .description('ask every node how it is, and say what is wrong, why it matters and what to do');
  help(
    runWith(doctor, host, (context) => runDoctor(context)),
    ['shanghaictl doctor', 'shanghaictl doctor --output json'],
    [...remoteExits, '21 warnings found', '22 errors found'],
  );
}

async function runDoctor(context: CommandContext): Promise<void> {
  const nodes = await (await context.connect()).observations();
  const findings = diagnose(nodes);
  const summaries = summarized(nodes);
  await context.print.document({ nodes: summaries, findings }, [
    ...summaries.map(summaryField),
    ...findings.flatMap(findingFields),
    ...(findings.length === 0 ? [['Findings', 'none'] as const] : []),
  ]);
  const worst = worstOf(findings);
  const count = findings.filter(({ severity }) => severity === worst).length;
  const said = (kind: string) => `${count} ${kind}${count === 1 ? '' : 's'} found`;
  if (worst === 'warning') throw new CtlError('WARNINGS_FOUND', said('warning'));
  if (worst === 'error') throw new CtlError('ERRORS_FOUND', said('error'));
}

/** A node in short. */
interface NodeSummary {
  readonly nodeId: number;
  readonly address: string;
  readonly isAnswering: boolean;
  readonly problem?: string;
  readonly version?: string;
  readonly runtimeVersion?: string;
  readonly clusterVersion?: number;
  readonly state?: string;
  readonly isReady?: boolean;
  readonly walSync?: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly fileSystem?: { readonly type: string; readonly totalBytes: number; readonly availableBytes: number };
  readonly openFiles?: number;
  readonly maxOpenFiles?: number;
  /** Against the median of all. */
  readonly clockOffsetMs?: number;
  readonly clockUncertaintyMs?: number;
}

function summarized(nodes: readonly NodeObservation[]): readonly NodeSummary[] {
  const clocks = comparedClocks(nodes);
  const present = answering(nodes);
  return nodes.map(({ node, problem }) => {
    const { nodeId, grpcAddress: address } = node;
    const diagnostics = present.find((one) => one.node.nodeId === nodeId)?.diagnostics;
    if (diagnostics === undefined) {
      return { nodeId, address, isAnswering: false, ...(problem === undefined ? {} : { problem }) };
    }
    const { version, runtimeVersion, clusterVersion, state, checks, walSync, fileSystem, process } = diagnostics;
    const clock = clocks.find((one) => one.nodeId === nodeId);
    return {
      nodeId,
      address,
      isAnswering: true,
      ...{ version, runtimeVersion, clusterVersion, state, walSync, fileSystem },
      isReady: checks.every(({ ok }) => ok),
      openFiles: process.openFiles,
      maxOpenFiles: process.maxOpenFiles,
      ...(clock === undefined ? {} : { clockOffsetMs: clock.offsetMs, clockUncertaintyMs: clock.uncertaintyMs }),
    };
  });
}

function summaryField(node: NodeSummary): Field {
  const { walSync, fileSystem, clockOffsetMs = 0, clockUncertaintyMs = 0 } = node;
  const label = `Node ${node.nodeId}`;
  if (walSync === undefined || fileSystem === undefined) return [label, 'does not answer'];
  const free =
    fileSystem.totalBytes === 0
      ? ''
      : ` ${Math.floor((100 * fileSystem.availableBytes) / fileSystem.totalBytes)} % free`;
  return [
    label,
    [
      node.isReady === true ? 'ready' : 'not ready',
      `version ${node.version}`,
      `sync ${ms(walSync.p50Ms)} p50, ${ms(walSync.p99Ms)} p99`,
      `disk ${fileSystem.type || 'unknown'}${free}`,
      `clock ${clockOffsetMs < 0 ? '-' : '+'}${ms(Math.abs(clockOffsetMs))} ± ${ms(clockUncertaintyMs)}`,
    ].join(' · '),
  ];
}

function findingFields({ severity, code, what, why, todo }: Finding): readonly Field[] {
  return [[`${severity} ${code}`], ['  what', what], ['  why', why], ['  do', todo]];
}
