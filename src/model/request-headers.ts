/** Headers of a request to a service that no row sets: the platform says them itself, or they say how its bytes are carried. */
const OWN =
  /^(?:connection|content-length|content-type|expect|host|idempotency-key|keep-alive|proxy-.*|switchyard-.*|te|traceparent|tracestate|trailer|transfer-encoding|upgrade)$/i;

export function isOwnHeader(name: string): boolean {
  return OWN.test(name);
}
