import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = '/sys/kernel/mm/hugepages';
const UNITS = ['Ki', 'Mi', 'Gi'];

/** What is set aside for huge pages, as Kubernetes' resources: `hugepages-2Mi` → `64Mi`. Empty where nothing is. */
export function hugePages(folder = FOLDER): Record<string, string> {
  try {
    return Object.fromEntries(readdirSync(folder).flatMap((name) => resourceOf(folder, name)));
  } catch {
    return {}; // this kernel has none
  }
}

function resourceOf(folder: string, name: string): [string, string][] {
  const sizeKi = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
  const count = Number(readFileSync(join(folder, name, 'nr_hugepages'), 'utf8'));
  return sizeKi > 0 && count > 0 ? [[`hugepages-${short(sizeKi)}`, short(sizeKi * count)]] : [];
}

function short(ki: number): string {
  let [amount, unit] = [ki, 0];
  while (amount % 1024 === 0 && unit < UNITS.length - 1) [amount, unit] = [amount / 1024, unit + 1];
  return `${amount}${UNITS[unit]}`;
}
