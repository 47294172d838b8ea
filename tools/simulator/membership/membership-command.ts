/**
 * `pnpm sim membership`: who is there, on virtual time, with up to a thousand nodes and more. Of several sizes the figures
 * come as one table in the end, as docs hold them.
 */
import { parseArgs } from 'node:util';
import { type MembershipProfile, membershipProfiles, resolveMembershipSettings } from '@shanghai/membership';
import { FigureTable } from './figure-table.js';
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

const phases = ['steady', 'loss', 'stalls', 'crashes', 'partition', 'restart', 'flapping'] as const;
type Phase = (typeof phases)[number];

const usage = `usage: pnpm sim membership [options]

  --seed n         default: by the clock
  --nodes n        default 10; several, as 3,10,100: one after the other, and a table of all
  --minutes n      of virtual time for steady, for each loss and for stalls; default 10
  --loss p         part of the frames that is lost, in percent; default 1
  --stalls n       nodes that hang for 0.5 to 8 s, each minute, in stalls; default one in ten nodes
  --crashes n      how many nodes crash, one after the other; default 20
  --losses list    of which share of the frames, in percent, in loss; default 0,5
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
  const startedMs = performance.now();
  const table = new FigureTable();
  for (const nodes of wanted.sizes) {
    if (!simulate({ ...wanted, nodes }, table)) return 1;
  }
  const command = `pnpm sim membership --seed ${wanted.seed} --nodes ${wanted.sizes.join(',')}`;
  if (wanted.sizes.length > 1) console.log(`\n${table.text(command)}\n`);
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  return 0;
}

/** All phases at one size, one after the other in one cluster. Whether all came to see the same. */
function simulate(wanted: Wanted, table: FigureTable): boolean {
  const { seed, nodes, loss, settings } = wanted;
  console.log(`seed ${seed}, ${nodes} nodes, ${(loss * 100).toFixed(1)} % of the frames lost`);
  const tell = (phase: string, figures: readonly Figure[]) => {
    for (const [what, value] of figures) {
      console.log(`${phase.padEnd(10)} ${what}: ${value}`);
      table.add(`${nodes}`, what, value);
    }
  };
  try {
    const started = start({ seed, nodes, loss, settings });
    tell('start', [['of one view after the last start', seconds(started.convergedMs)]]);
    for (const phase of wanted.phases) tell(phase, figuresOf(phase, started, wanted));
    return true;
  } catch (error) {
    console.log(
      `failed: ${error instanceof Error ? error.message : error}; again: pnpm sim membership --seed ${seed} --nodes ${nodes} …`,
    );
    return false;
  }
}

interface Wanted extends PhaseOptions {
  readonly sizes: readonly number[];
  readonly losses: readonly number[];
  readonly minutes: number;
  /** Default: one node in ten. */
  readonly stalls: number | undefined;
  readonly crashes: number;
  readonly partitionMinutes: number;
  readonly phases: readonly Phase[];
}

/** What was measured, and how much it was. */
type Figure = readonly [what: string, value: string];

function figuresOf(phase: Phase, started: Started, wanted: Wanted): readonly Figure[] {
  switch (phase) {
    case 'steady':
      return quiet(started, wanted, wanted.loss);
    case 'loss':
      return wanted.losses.flatMap((loss) => quiet(started, wanted, loss));
    case 'stalls':
      return hanging(started, wanted);
    case 'crashes': {
      const { suspect, down, spread } = crashes(started, wanted.crashes);
      return [
        ['crashes', `${wanted.crashes}`],
        ['crash to suspect', said(suspect)],
        ['crash to down', said(down)],
        ['from the first that sees it down to the last', said(spread)],
      ];
    }
    case 'partition': {
      const minutes = wanted.partitionMinutes;
      return [[`of one view after ${minutes} min in halves`, seconds(partition(started, minutes * 60_000))]];
    }
    case 'restart':
      return [['of one view after all were started again within 10 s', seconds(massRestart(started))]];
    case 'flapping':
      return [['of one view after one that came and went 20 times', seconds(flapping(started, 20))]];
  }
}

function quiet(started: Started, { minutes, loss: usualLoss }: Wanted, loss: number): readonly Figure[] {
  started.world.setLoss(loss);
  const { falseSuspicions, falseDowns, messagesPerNodeSecond, bytesPerNodeSecond } = steady(started, minutes, 0);
  started.world.setLoss(usualLoss);
  const at = `at ${(loss * 100).toFixed(0)} % loss`;
  return [
    [`false suspicions and downs a day, ${at}, of ${minutes} min`, aDay(falseSuspicions, falseDowns, minutes)],
    [
      `messages and bytes a second and a node, ${at}`,
      `${messagesPerNodeSecond.toFixed(2)}, ${bytesPerNodeSecond.toFixed(0)} B`,
    ],
  ];
}

function hanging(started: Started, { minutes, stalls = started.world.running.length / 10 }: Wanted): readonly Figure[] {
  const { falseSuspicions, falseDowns, trueSuspicions } = steady(started, minutes, stalls);
  return [
    [
      `false suspicions and downs a day while nodes hang, of ${minutes} min`,
      aDay(falseSuspicions, falseDowns, minutes),
    ],
    ['nodes that hung and were suspect', `${trueSuspicions}`],
  ];
}

function aDay(suspicions: number, downs: number, minutes: number): string {
  return [suspicions, downs].map((count) => `${+((count * 1_440) / minutes).toFixed(1)}`).join(', ');
}

function said({ min, p50, p99, max }: Spread): string {
  return `${seconds(min)} to ${seconds(max)} (half by ${seconds(p50)}, 99 % by ${seconds(p99)})`;
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
      losses: { type: 'string', default: '0,5' },
      partition: { type: 'string', default: '60' },
      phases: { type: 'string', default: phases.join(',') },
      profile: { type: 'string', default: 'lan' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const sizes = values.nodes.split(',').map(Number);
  const losses = values.losses.split(',').map((loss) => Number(loss) / 100);
  const numbers = {
    seed: Number(values.seed ?? Date.now() % 1_000_000_007),
    loss: Number(values.loss) / 100,
    minutes: Number(values.minutes),
    crashes: Number(values.crashes),
    partitionMinutes: Number(values.partition),
  };
  const stalls = values.stalls === undefined ? undefined : Number(values.stalls);
  const names = values.phases.split(',');
  const chosen = phases.filter((phase) => names.includes(phase));
  const areNumbers = [...Object.values(numbers), ...losses, stalls ?? 0].every((value) => value >= 0);
  const areInRange = [...losses, numbers.loss].every((loss) => loss < 1) && sizes.every((nodes) => nodes >= 1);
  const isKnown = chosen.length === names.length && values.profile in membershipProfiles;
  if (values.help || !areNumbers || !areInRange || !isKnown) return undefined;
  const settings = resolveMembershipSettings({ profile: values.profile as MembershipProfile });
  return { ...numbers, nodes: sizes[0] as number, sizes, losses, stalls, settings, phases: chosen };
}
