/** As Kubernetes reads a yes or a no of a query: who names it says yes, unless with `false` or `0`. */
export function isYes(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text !== null && text !== '0' && text.toLowerCase() !== 'false';
}
