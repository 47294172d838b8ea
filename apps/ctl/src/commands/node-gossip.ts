/** node list --gossip, node events. */
import type { Action, CommandContext } from '../command-host.js';
import type { SeenEvent, SeenMember } from '../connection.js';
import { optionalInteger } from '../flag-values.js';

/** `node list --gossip` */
export async function listSeen(context: CommandContext): Promise<void> {
  const connection = await context.connect();
  const { nodeId, members, isIsolated } = await connection.members.seen();
  const list = context.print.list<SeenMember>(
    [
      { title: 'ID', text: (one) => String(one.nodeId), align: 'right' },
      { title: 'NAME', text: (one) => one.name },
      { title: 'STATE', text: (one) => one.state },
      { title: 'HEARD', text: (one) => heardText(one, nodeId), align: 'right' },
      { title: 'OBSERVED', text: (one) => (one.isObserved ? 'yes' : '-') },
      { title: 'PEER', text: (one) => one.address || '-' },
      { title: 'INCARNATION', text: (one) => String(one.incarnation), align: 'right' },
      { title: 'VERSION', text: (one) => one.tags['version'] ?? '-' },
    ],
    (one) => one,
  );
  for (const member of members) await list.row(member);
  await list.end();
  context.print.note(`as node ${nodeId} sees it${isIsolated ? ', which hears nobody: this is what it knew last' : ''}`);
}

function heardText({ nodeId, heardMsAgo }: SeenMember, asked: number): string {
  if (nodeId === asked) return 'asked';
  return heardMsAgo === undefined ? '-' : `${(heardMsAgo / 1_000).toFixed(1)} s`;
}

/** A question waits so long for news. */
const waitMs = 20_000;

/** `node events` */
export const showEvents: Action = async (context, _values, flags) => {
  let after = optionalInteger(flags, 'after', 0) ?? 0;
  const connection = await context.connect();
  const isFollowing = flags['follow'] === true;
  // A reader that went away (`| head`) ends it although nothing happens.
  const ending = new AbortController();
  const end = () => ending.abort();
  context.terminal.stdout.once('close', end);
  context.signal.addEventListener('abort', end);
  const { signal } = ending;
  try {
    for (let page = await connection.members.events({ after, waitMs: 0, signal }); ; ) {
      for (const event of page.events) await context.print.stream({ ...event }, eventText(event));
      after = page.events.at(-1)?.number ?? page.last;
      // A whole page may have another one behind it.
      if (!isFollowing && after >= page.last) return;
      page = await connection.members.events({ after, waitMs: isFollowing ? waitMs : 0, signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    context.terminal.stdout.off('close', end);
    context.signal.removeEventListener('abort', end);
  }
};

function eventText({ number, atMs, type, nodeId, name, before, detail }: SeenEvent): string {
  const change = before === '' ? type : `${before} -> ${type}`;
  const said = detail === '' ? '' : `  ${detail}`;
  return `${number}  ${new Date(atMs).toISOString()}  node ${nodeId} (${name})  ${change}${said}`;
}
