/**
 * One JSON log line → one line for eyes: time of day, level, message, then the remaining fields as name=value.
 * A line that is not a JSON object is passed through as it is. An error's stack follows on lines of its own.
 */
export function prettyLine(line: string): string {
  const entry = parseObject(line);
  if (entry === undefined) return line;
  const { time, level, msg, err, ...rest } = entry;
  const head = `${timeOfDay(time)} ${String(level).toUpperCase().padEnd(5)} ${String(msg ?? '')}`;
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`);
  return `${[head, ...fields].join('  ')}${errorLines(err)}\n`;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function timeOfDay(time: unknown): string {
  return typeof time === 'string' ? time.slice(11, 23) : '';
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function errorLines(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  return `\n  ${String(stack ?? message ?? '').replaceAll('\n', '\n  ')}`;
}
