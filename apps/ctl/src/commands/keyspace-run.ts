/** keyspace create, delete, list; kv conflicts, held, verdict. */
import type { KeyConflicts, KeyspaceDescription, KeyVersion } from '@shanghai/client';
import { cellText, showBytes } from '../byte-text.js';
import type { Action } from '../command-host.js';
import type { Connection } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { integer, oneOf, optionalInteger } from '../flag-values.js';
import { formatDuration, formatTime } from '../output/quantities.js';
import type { Encoding } from '../settings.js';

type Held = Awaited<ReturnType<Connection['keyspaces']['held']>>['entries'][number];

const cellLength = 40;

/** `keyspace create <name>` */
export const createKeyspace: Action = async (context, values, flags) => {
  const mode = oneOf(flags, 'mode', ['quorum', 'multi-master']) ?? 'quorum';
  const made = await (await context.connect()).keyspaces.create(values[0] as string, { mode });
  await context.print.document(made, [
    ['Name', made.name],
    ['Id', String(made.keyspaceId)],
    ['Mode', made.mode],
  ]);
};

/** `keyspace delete <name>` */
export const deleteKeyspace: Action = async (context, values) => {
  const name = values[0] as string;
  await context.confirm(`Keyspace '${name}' will be deleted with all that is in it, at every node.`);
  await (await context.connect()).keyspaces.delete(name);
  await context.print.document({ deleted: name }, [['Deleted', name]]);
};

/** `keyspace list` */
export const listKeyspaces: Action = async (context) => {
  const keyspaces = await (await context.connect()).keyspaces.list();
  const list = context.print.list<KeyspaceDescription>(
    [
      { title: 'NAME', text: ({ name }) => (name === '' ? "''" : name) },
      { title: 'ID', text: ({ keyspaceId }) => String(keyspaceId), align: 'right' },
      { title: 'MODE', text: ({ mode }) => mode },
      { title: 'CONFLICTS', text: ({ mode, conflictsListed }) => countText(mode, conflictsListed), align: 'right' },
      { title: 'HELD', text: ({ mode, held }) => countText(mode, held), align: 'right' },
    ],
    (keyspace) => keyspace,
  );
  for (const keyspace of keyspaces) await list.row(keyspace);
  await list.end();
};

/** `kv conflicts` */
export const listConflicts: Action = async (context, _values, flags) => {
  const { keyspace, encoding } = context.settings;
  const limit = optionalInteger(flags, 'limit', 1);
  const { keyspaces } = await context.connect();
  const { conflicts, found } = await keyspaces.conflicts(keyspace, limit === undefined ? {} : { limit });
  const list = context.print.list<KeyConflicts['conflicts'][number]>(
    [
      { title: 'KEY', text: ({ key }) => cellText(key, encoding, cellLength) },
      { title: 'LOST', text: ({ lost }) => valueText(lost, encoding) },
      { title: 'OF', text: ({ lost }) => nameText(lost) },
      { title: 'WON', text: ({ won }) => valueText(won, encoding) },
      { title: 'OF', text: ({ won }) => nameText(won) },
      { title: 'AT', text: ({ won }) => formatTime(won.timeMs) },
    ],
    ({ key, lost, won }) => ({
      key: showBytes(key, encoding).text,
      lost: versionJson(lost, encoding),
      won: versionJson(won, encoding),
    }),
  );
  for (const conflict of conflicts) await list.row(conflict);
  await list.end();
  context.print.note(`${found} found by this node since it started`);
};

/** `kv held` */
export const listHeld: Action = async (context, _values, flags) => {
  const { keyspace, encoding } = context.settings;
  const limit = optionalInteger(flags, 'limit', 1);
  const { keyspaces } = await context.connect();
  const { entries, held } = await keyspaces.held(keyspace, limit === undefined ? {} : { limit });
  const list = context.print.list<Held>(
    [
      { title: 'ORIGIN', text: ({ version }) => String(version.origin), align: 'right' },
      { title: 'EPOCH', text: ({ version }) => String(version.epoch), align: 'right' },
      { title: 'SEQUENCE', text: ({ version }) => String(version.sequence), align: 'right' },
      { title: 'KEY', text: ({ key }) => cellText(key, encoding, cellLength) },
      { title: 'VALUE', text: ({ version }) => valueText(version, encoding) },
      { title: 'AHEAD', text: ({ aheadMs }) => formatDuration(aheadMs), align: 'right' },
    ],
    ({ key, version, aheadMs }) => ({
      key: showBytes(key, encoding).text,
      ...versionJson(version, encoding),
      aheadMs,
    }),
  );
  for (const entry of entries) await list.row(entry);
  await list.end();
  if (held > entries.length) context.print.note(`${held - entries.length} more are held`);
};

/** `kv verdict <decision>` */
export const giveVerdict: Action = async (context, values, flags) => {
  const decision = values[0] as string;
  if (decision !== 'accept' && decision !== 'drop') throw usageError(`a verdict is accept or drop, not '${decision}'`);
  const { keyspace } = context.settings;
  const firstSequence = integer(flags, 'from', 1, 1);
  const meant = {
    ...({ decision, firstSequence } as const),
    origin: integer(flags, 'origin', 1, 1),
    epoch: integer(flags, 'epoch', 1, 1),
    lastSequence: optionalInteger(flags, 'to', firstSequence) ?? firstSequence,
  };
  const what = `entries ${firstSequence} to ${meant.lastSequence} of node ${meant.origin} in keyspace '${keyspace}'`;
  await context.confirm(
    decision === 'drop'
      ? `Held ${what} will never count, at any node.`
      : `Held ${what} will count at once, at every node, and the clocks of all follow them.`,
  );
  const entries = await (await context.connect()).keyspaces.giveVerdict(keyspace, meant);
  await context.print.document({ decision, entries }, [
    [decision === 'drop' ? 'Dropped' : 'Accepted', String(entries)],
  ]);
};

function countText(mode: string, count: number): string {
  return mode === 'quorum' ? '-' : String(count);
}

function nameText({ origin, epoch, sequence }: KeyVersion): string {
  return `${origin}.${epoch}/${sequence}`;
}

function valueText({ value, valueBytes }: KeyVersion, encoding: Encoding): string {
  if (value === undefined) return '(deleted)';
  const cut = value.length < valueBytes ? '…' : '';
  return `${cellText(value, encoding, cellLength)}${cut}`;
}

function versionJson({ value, ...version }: KeyVersion, encoding: Encoding): Record<string, unknown> {
  if (value === undefined) return { ...version, deleted: true };
  const shown = showBytes(value, encoding);
  return { ...version, deleted: false, value: shown.text, encoding: shown.encoding };
}
