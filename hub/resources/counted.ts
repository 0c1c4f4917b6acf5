/** `1 device waits`, `2 devices wait`: a number and the words that go with it. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
