/** What an operator says at the hub to let a device in that waits. */
export const approveWith = (node: string): string => `holdfast node approve ${node}`;
