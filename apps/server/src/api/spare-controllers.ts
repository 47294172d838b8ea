/**
 * AbortControllers for requests of one answer. Making one is a tenth of what such a request costs the process (and more
 * in garbage collection), and nearly none of them ever aborts, so those that did not are used again.
 *
 * That is sound because whoever listens to such a request's signal stops listening before the request is answered.
 * Signals of streams, which others derive from, are never given back.
 */
const spares: AbortController[] = [];
const maxSpares = 1_024;

/** A controller that has not aborted. */
export function takeController(): AbortController {
  return spares.pop() ?? new AbortController();
}

/** Gives one back after the request was answered; nobody may abort it or ask for its signal afterwards. */
export function giveBackController(controller: AbortController): void {
  if (!controller.signal.aborted && spares.length < maxSpares) spares.push(controller);
}
