/** Ends this process as soon as the one that started it with a channel has ended, in whatever way. */
export function endWithParent(): void {
  if (process.channel) process.once('disconnect', () => process.exit());
}
