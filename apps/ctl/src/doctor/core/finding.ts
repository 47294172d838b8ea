/** `error`: something does not work, or data is in danger. `warning`: it will, or it is slow. `info`: worth knowing. */
export type Severity = 'error' | 'warning' | 'info';

/** Something that a diagnosis found. */
export interface Finding {
  readonly severity: Severity;
  /** For programs; the same for the same kind of finding. */
  readonly code: string;
  readonly nodeId?: number;
  readonly groupId?: number;
  readonly what: string;
  readonly why: string;
  /** A command, or in words. */
  readonly todo: string;
}

const order: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/** The worst first, then by code, node and group. */
export function sorted(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ code, nodeId = 0, groupId = 0 }: Finding) =>
    `${code} ${String(nodeId).padStart(10)} ${String(groupId).padStart(10)}`;
  return [...findings].sort(
    (a, b) => order[a.severity] - order[b.severity] || (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0),
  );
}

/** The worst severity; `undefined` where nothing was found. */
export function worstOf(findings: readonly Finding[]): Severity | undefined {
  return sorted(findings)[0]?.severity;
}
