/** A violation as a page: every operation as a bar over time, the longest order that was found, and where it ends. */
import type { Model, Operation } from './operation.js';

const rowPixels = 26;
const columnPixels = 34;

/** A page of its own, without anything to load. `longest`: as `checkLinearizability` found it. */
export function violationPage<State, Input, Output>(
  title: string,
  operations: readonly Operation<Input, Output>[],
  longest: readonly number[],
  model: Model<State, Input, Output>,
): string {
  const times = [...new Set(operations.flatMap((one) => [one.call, one.return]))].filter(Number.isFinite);
  const columns = new Map(times.sort((a, b) => a - b).map((time, column) => [time, column]));
  const processes = [...new Set(operations.map(({ process }) => process))].sort((a, b) => a - b);
  const places = new Map(longest.map((id, place) => [id, place + 1]));
  const end = columns.size + 1;
  const bars = operations.map((operation, id) => {
    const from = columns.get(operation.call) as number;
    const to = columns.get(operation.return) ?? end;
    const place = places.get(id);
    const label = `${place === undefined ? '' : `${place}. `}${model.describe(operation.input, operation.output)}`;
    const style = `left:${from * columnPixels}px;width:${(to - from) * columnPixels - 4}px;top:${processes.indexOf(operation.process) * rowPixels}px`;
    const kind = `${place === undefined ? 'left' : 'placed'}${operation.output === undefined ? ' open' : ''}`;
    return `<div class="${kind}" style="${style}" title="${escaped(label)}">${escaped(label)}</div>`;
  });
  const order = statesOf(operations, longest, model).map((line) => `<li>${escaped(line)}</li>`);
  return page(title, processes, bars, order, operations.length);
}

function statesOf<State, Input, Output>(
  operations: readonly Operation<Input, Output>[],
  longest: readonly number[],
  model: Model<State, Input, Output>,
): string[] {
  let state: State | undefined = model.initial;
  return longest.map((id) => {
    const { process, input, output } = operations[id] as Operation<Input, Output>;
    state = state === undefined ? undefined : model.step(state, input, output);
    return `process ${process}: ${model.describe(input, output)}   ⇒ ${state === undefined ? '?' : model.fingerprint(state)}`;
  });
}

function page(
  title: string,
  processes: readonly number[],
  bars: readonly string[],
  order: readonly string[],
  count: number,
): string {
  const names = processes.map((process) => `<div style="height:${rowPixels}px">process ${process}</div>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>
body { font: 14px system-ui, sans-serif; margin: 24px; }
.history { display: flex; overflow-x: auto; border: 1px solid #ccc; padding: 8px; }
.names { flex: none; width: 90px; color: #555; }
.bars { position: relative; flex: 1; min-height: ${processes.length * rowPixels}px; }
.bars div { position: absolute; height: ${rowPixels - 6}px; font-size: 11px; line-height: ${rowPixels - 6}px; overflow: hidden; white-space: nowrap; padding: 0 2px; border-radius: 3px; }
.placed { background: #cde8cf; } .left { background: #f3b7b7; } .open { border-right: 2px dashed #888; }
</style></head><body>
<h1>${escaped(title)}</h1>
<p>No order of these ${count} operations explains what the clients saw. Green: the longest order that was found, numbered.
Red: what has no place in it. A dashed end: no answer, so it may have happened at any time after its call.</p>
<div class="history"><div class="names">${names.join('')}</div><div class="bars">${bars.join('\n')}</div></div>
<h2>The longest order, with the state after each step</h2><ol>${order.join('\n')}</ol>
</body></html>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
