/** Between SIGTERM and SIGKILL, for a checkpoint; in milliseconds. */
export const GRACE_MS = 10_000
