import type { DiskBudget } from "./disk.ts"
import type { Budget } from "./figure.ts"
import type { NetworkBudget } from "./network.ts"

/** What each room may spend. */
export interface HostBudget {
  cpu: Budget
  memory: Budget
  disk: DiskBudget
  network: NetworkBudget
}

const MIB = 2 ** 20

/** Under a quarter of a minute in all, and at most 16 MiB each way over the network; some 1.5 GiB are written to the disk. */
export const QUICK: HostBudget = {
  cpu: { warmUps: 1, repeats: 5, windowMs: 100, limitMs: 1000 },
  memory: { warmUps: 1, repeats: 5, windowMs: 100, limitMs: 1000 },
  disk: {
    warmUps: 1,
    repeats: 5,
    windowMs: 120,
    limitMs: 1000,
    fileBytes: 256 * MIB,
    writtenBytes: 1024 * MIB,
  },
  network: {
    latency: { warmUps: 2, repeats: 20, windowMs: 0, limitMs: 1000 },
    line: { limitMs: 1500, limitBytes: 16 * MIB },
  },
}

/** Under a minute and a half in all, and at most 64 MiB each way over the network; some 5 GiB are written to the disk. */
export const FULL: HostBudget = {
  cpu: { warmUps: 2, repeats: 15, windowMs: 250, limitMs: 6000 },
  memory: { warmUps: 2, repeats: 15, windowMs: 200, limitMs: 6000 },
  disk: {
    warmUps: 2,
    repeats: 20,
    windowMs: 200,
    limitMs: 6000,
    fileBytes: 1024 * MIB,
    writtenBytes: 4096 * MIB,
  },
  network: {
    latency: { warmUps: 5, repeats: 100, windowMs: 0, limitMs: 4000 },
    line: { limitMs: 8000, limitBytes: 64 * MIB },
  },
}
