/** `pnpm sim membership`: who is there, on virtual time, with up to a thousand nodes and more. */
import { parseArgs } from 'node:util';
import { type MembershipProfile, membershipProfiles, resolveMembershipSettings } from '@shanghai/membership';
import {
  crashes,
  flapping,
  massRestart,
  type PhaseOptions,
  partition,
  type Spread,
  type Started,
  start,
  steady,
} from './membership-phases.js';

const phases = ['steady', 'stalls', 'crashes', 'partition', 'restart', 'flapping'] as const;
type Phase = (typeof phases)[number];

const usage = `usage: pnpm sim membership [options]

  --seed n         default: by the clock
  --nodes n        default 10
  --minutes n      of virtual time for steady and stalls each; default 10
  --loss p         part of the frames that is lost, in percent; default 1
  --stalls n       nodes that hang for 0.5 to 8 s, each minute, in stalls; default one in ten nodes
  --crashes n      how many nodes crash, one after the other; default 20
  --partition n    minutes for which the halves do not reach each other; default 60
  --phases list    some of ${phases.join(', ')}; all (default)
  --profile name   ${Object.keys(membershipProfiles).join(', ')}; default lan

exit code: 0 all came to see the same, 1 they did not, 2 wrong usage`;

/** Runs the command; gives its exit code. */
export function membershipCommand(args: readonly string[]): number {
  const wanted = parse(args);
  if (wanted === undefined) {
    console.log(usage);
    return args.includes('--help') ? 0 : 2;
  }
  const { seed, nodes, loss, settings } = wanted;
  const startedMs = performance.now();
  console.log(`seed ${seed}, ${nodes} nodes, ${(loss * 100).toFixed(1)} % of the frames lost`);
  try {
    const started = start({ seed, nodes, loss, settings });
    console.log(`start      of one view ${seconds(started.convergedMs)} after the last start`);
    for (const phase of wanted.phases) {
      const before = { ...started.world.counts };
      const atMs = started.world.nowMs;
      console.log(`${phase.padEnd(10)} ${run(phase, started, wanted)}`);
      const { frames, bytes } = started.world.counts;
      const nodeSeconds = (nodes * (started.world.nowMs - atMs)) / 1_000;
      const rates = [(frames - before.frames) / nodeSeconds, (bytes - before.bytes) / nodeSeconds];
      console.log(`           ${rates[0]?.toFixed(2)} messages/s and ${rates[1]?.toFixed(0)} B/s a node`);
    }
  } catch (error) {
    console.log(
      `failed: ${error instanceof Error ? error.message : error}; again: pnpm sim membership --seed ${seed} …`,
    );
    return 1;
  }
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  return 0;
}

interface Wanted extends PhaseOptions {
  readonly minutes: number;
  readonly stalls: number;
  readonly crashes: number;
  readonly partitionMinutes: number;
  readonly phases: readonly Phase[];
}

function run(phase: Phase, started: Started, wanted: Wanted): string {
  switch (phase) {
    case 'steady':
    case 'stalls': {
      const stalls = phase === 'stalls' ? wanted.stalls : 0;
      const result = steady(started, wanted.minutes, stalls);
      const aDay = (result.falseSuspicions * 1_440) / wanted.minutes;
      const hung = phase === 'stalls' ? `, ${result.trueSuspicions} times one that hung` : '';
      return `${wanted.minutes} min: ${result.falseSuspicions} false suspicions (${aDay.toFixed(1)} a day), ${result.falseDowns} false downs${hung}`;
    }
    case 'crashes': {
      const { suspect, down, spread } = crashes(started, wanted.crashes);
      return `${wanted.crashes}: suspect after ${said(suspect)}, down after ${said(down)}, everywhere ${said(spread)} later`;
    }
    case 'partition':
      return `${wanted.partitionMinutes} min: of one view ${seconds(partition(started, wanted.partitionMinutes * 60_000))} after it`;
    case 'restart':
      return `of one view ${seconds(massRestart(started))} after the last start`;
    case 'flapping':
      return `20 times: of one view ${seconds(flapping(started, 20))} after the last`;
  }
}

function said({ min, p50, max }: Spread): string {
  return `${seconds(min)} to ${seconds(max)} (half by ${seconds(p50)})`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function parse(args: readonly string[]): Wanted | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      nodes: { type: 'string', default: '10' },
      minutes: { type: 'string', default: '10' },
      loss: { type: 'string', default: '1' },
      stalls: { type: 'string' },
      crashes: { type: 'string', default: '20' },
      partition: { type: 'string', default: '60' },
      phases: { type: 'string', default: phases.join(',') },
      profile: { type: 'string', default: 'lan' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const nodes = Number(values.nodes);
  const numbers = {
    seed: Number(values.seed ?? Date.now() % 1_000_000_007),
    nodes,
    loss: Number(values.loss) / 100,
    minutes: Number(values.minutes),
    stalls: Number(values.stalls ?? nodes / 10),
    crashes: Number(values.crashes),
    partitionMinutes: Number(values.partition),
  };
  const names = values.phases.split(',');
  const chosen = phases.filter((phase) => names.includes(phase));
  const areRight = Object.values(numbers).every((value) => value >= 0) && numbers.nodes >= 1 && numbers.loss < 1;
  if (values.help || !areRight || chosen.length < names.length || !(values.profile in membershipProfiles))
    return undefined;
  const settings = resolveMembershipSettings({ profile: values.profile as MembershipProfile });
  return { ...numbers, settings, phases: chosen };
}
