const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * A Kubernetes quantity as a number, `500m` → 0.5. The hub has validated it; the precision of a number is enough for
 * the engine's limits. Undefined for what is missing or no quantity.
 */
export function parseQuantity(text: string | number | undefined): number | undefined {
  const [, digits, suffix = ''] =
    /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)$/.exec(String(text ?? '')) ?? [];
  const factor = FACTORS[suffix];
  if (digits === undefined || factor === undefined) return undefined;
  return Number(digits) * factor;
}
