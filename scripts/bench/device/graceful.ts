/*
 * Pods that end when they are told to. They are gone from the API once the device has removed them; those that get no time
 * to end are gone at once, and removed after that.
 */

export const GRACEFUL_COMMAND = ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];
export const GRACE_SECONDS = 10;
