/** Prometheus text as rows. */
import type { CommandContext } from '../command-host.js';

/** One sample of a metric. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Shows the node's metrics as the options say. */
export async function showMetrics(
  context: CommandContext,
  options: { readonly filter: string; readonly buckets: boolean; readonly raw: boolean },
): Promise<void> {
  const exposition = await (await context.connect()).metrics();
  if (options.raw) return context.print.raw(exposition);
  const list = context.print.list<MetricSample>(
    [
      { title: 'METRIC', text: (sample) => sample.name },
      { title: 'LABELS', text: (sample) => labelsText(sample.labels) },
      { title: 'VALUE', text: (sample) => String(sample.value), align: 'right' },
    ],
    // Infinity and NaN have no JSON.
    (sample) => (Number.isFinite(sample.value) ? sample : { ...sample, value: String(sample.value) }),
  );
  for (const sample of parseExposition(exposition)) {
    if (!sample.name.includes(options.filter)) continue;
    if (!options.buckets && sample.name.endsWith('_bucket')) continue;
    await list.row(sample);
  }
  await list.end();
}

/** The samples of a Prometheus text exposition, in order. Comments and lines it does not understand are passed over. */
export function* parseExposition(exposition: string): Generator<MetricSample> {
  for (const line of exposition.split('\n')) {
    const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (match === null) continue;
    const [, name = '', labelText = '', value = ''] = match;
    const labels: Record<string, string> = {};
    for (const [, label = '', quoted = ''] of labelText.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label] = quoted.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
    }
    yield { name, labels, value: Number(value.replace(/^([+-]?)Inf$/, '$1Infinity')) };
  }
}

function labelsText(labels: MetricSample['labels']): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
