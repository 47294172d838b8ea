import { type JointVoters, jointCommitted, jointVote, majorityCommitted, majorityVote, voterIds } from '@shanghai/raft';
import { type Directive, wholeNumber } from './datadriven-file.js';

/** Runs a directive of a `quorum` file: `committed` and `vote`, on a majority or (with `cfgj`) on a joint quorum. */
export function runQuorumDirective({ command, arguments: given }: Directive): string {
  const values = (key: string) => given.find((argument) => argument.key === key)?.values;
  const outgoing = values('cfgj');
  const config = {
    ids: (values('cfg') ?? []).map(wholeNumber),
    idsJoint: outgoing === undefined || outgoing[0] === 'zero' ? [] : outgoing.map(wholeNumber),
    isJoint: outgoing !== undefined,
  };
  if (command === 'committed') return committed(config, values('idx') ?? []);
  if (command === 'vote') return vote(config, values('votes') ?? []);
  throw new Error(`unknown command '${command}'`);
}

interface Config {
  readonly ids: readonly number[];
  readonly idsJoint: readonly number[];
  readonly isJoint: boolean;
}

function votersOf({ ids, idsJoint }: Config): JointVoters {
  return { incoming: new Set(ids), outgoing: new Set(idsJoint) };
}

/** Values in the order of the voters, each given once; `_` says nothing of its voter. */
function assign<T>({ ids, idsJoint }: Config, values: readonly string[], read: (text: string) => T): Map<number, T> {
  const unique = [...new Set([...ids, ...idsJoint])];
  const assigned = new Map<number, T>();
  for (const [i, id] of unique.entries()) {
    const text = values[i];
    if (text !== undefined && text !== '_') assigned.set(id, read(text));
  }
  return assigned;
}

function mismatch(config: Config, values: readonly string[]): string | undefined {
  const voters = voterIds(votersOf(config));
  if (voters.length === values.length) return undefined;
  return `error: mismatched input (explicit or _) for voters [${voters.join(' ')}]: [${values.join(' ')}]\n`;
}

function committed(config: Config, values: readonly string[]): string {
  const wrong = mismatch(config, values);
  if (wrong !== undefined) return wrong;
  const indexes = assign(config, values, wholeNumber);
  // An index of 0 is no acknowledgement.
  for (const [id, index] of indexes) if (index === 0) indexes.delete(id);
  const acked = (id: number) => indexes.get(id);
  const voters = votersOf(config);
  let output = describe(voterIds(voters), acked);
  const result = config.isJoint ? jointCommitted(voters, acked) : majorityCommitted(voters.incoming, acked);
  if (config.isJoint) {
    const swapped = jointCommitted({ incoming: voters.outgoing, outgoing: voters.incoming }, acked);
    if (swapped !== result) output += `${show(swapped)} <-- via symmetry\n`;
  }
  output += variations(voters, acked, result, config.isJoint);
  return `${output}${show(result)}\n`;
}

/** What must not make a difference: joint with nobody, joint with itself, other acknowledgements below the result. */
function variations(
  voters: JointVoters,
  acked: (id: number) => number | undefined,
  result: number,
  isJoint: boolean,
): string {
  if (isJoint) return '';
  const alone = jointCommitted({ incoming: voters.incoming, outgoing: new Set() }, acked);
  const twice = jointCommitted({ incoming: voters.incoming, outgoing: voters.incoming }, acked);
  const zero = alone === result ? '' : `${show(alone)} <-- via zero-joint quorum\n`;
  return zero + (twice === result ? '' : `${show(twice)} <-- via self-joint quorum\n`);
}

/** Every voter with its index and a bar as long as its rank. */
function describe(ids: readonly number[], acked: (id: number) => number | undefined): string {
  if (ids.length === 0) return '<empty majority quorum>';
  const ranked = ids.map((id) => ({ id, index: acked(id) ?? 0 })).sort((a, b) => a.index - b.index || a.id - b.id);
  const bars = new Map<number, number>();
  let bar = 0;
  for (const [i, { id, index }] of ranked.entries()) {
    if (i > 0 && (ranked[i - 1] as { index: number }).index < index) bar = i;
    bars.set(id, bar);
  }
  const width = ids.length;
  const rows = ids.map((id) => {
    const length = bars.get(id) as number;
    const picture =
      acked(id) === undefined ? `?${' '.repeat(width)}` : `${'x'.repeat(length)}>${' '.repeat(width - length)}`;
    return `${picture} ${String(acked(id) ?? 0).padStart(5)}    (id=${id})\n`;
  });
  return `${' '.repeat(width)}    idx\n${rows.join('')}`;
}

function show(index: number): string {
  return index === Number.POSITIVE_INFINITY ? '∞' : String(index);
}

function vote(config: Config, values: readonly string[]): string {
  const wrong = mismatch(config, values);
  if (wrong !== undefined) return wrong;
  const votes = assign(config, values, (text) => text === 'y');
  const voters = votersOf(config);
  const voteOf = (id: number) => votes.get(id);
  if (!config.isJoint) return `${majorityVote(voters.incoming, voteOf)}\n`;
  const result = jointVote(voters, voteOf);
  const swapped = jointVote({ incoming: voters.outgoing, outgoing: voters.incoming }, voteOf);
  return `${swapped === result ? '' : `${swapped} <-- via symmetry\n`}${result}\n`;
}
