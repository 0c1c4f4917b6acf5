/** As Docker makes it of an address: who has talked to the address before finds it again at once, whoever has it now. */
export function macOf(ip: string): string {
  return ['02', '42', ...ip.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}
