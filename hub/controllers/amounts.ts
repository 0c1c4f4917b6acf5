/** `25%` of a total, or a plain count; percentages are rounded up or down, as the field demands. */
export function resolveAmount(
  amount: number | string | undefined,
  total: number,
  round: 'up' | 'down',
): number {
  if (amount === undefined) return 0;
  if (typeof amount === 'number') return amount;
  const share = (Number.parseInt(amount, 10) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
