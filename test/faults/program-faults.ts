import { setTimeout as sleep } from "node:timers/promises"
import { aWhile, type Fault } from "./fault.ts"
import type { Lane } from "./lane.ts"
import type { Supervised } from "./supervised.ts"

const STALL_MS = 30_000
const HOUR_S = 3600

type Name = "agent" | "market"
type Of = (lane: Lane) => Supervised

export function kill(name: string, about: string, of: Of): Fault {
  return {
    name,
    about: `SIGKILL to ${about}, which is started again after a second`,
    strike: async lane => {
      await of(lane).end("SIGKILL")
      return true
    },
  }
}

export function stall(name: string, about: string, of: Of): Fault {
  return {
    name,
    about: `SIGSTOP to ${about}, and SIGCONT after ${STALL_MS / 1000} s`,
    slow: true,
    strike: async lane => {
      const stalled = of(lane)
      stalled.pause()
      await sleep(STALL_MS)
      stalled.resume()
      return true
    },
  }
}

export function fillDisk(name: Name, about: string): Fault {
  return {
    name: `disk-full-${name}`,
    about: `not one free byte on the file system of ${about} for 2 to 5 s`,
    strike: async ({ disks }, chance) => {
      disks[name].fill()
      await aWhile(chance, 2000, 5000)
      disks[name].empty()
      return true
    },
  }
}

export function jumpClock(name: Name, about: string, hours: 1 | -1): Fault {
  const where = hours > 0 ? "ahead" : "behind"
  return {
    name: `clock-${name}${hours > 0 ? "+1h" : "-1h"}`,
    about: `the wall clock of ${about} an hour ${where} for 3 to 6 s, then right again`,
    clocks: true,
    strike: async ({ clocks }, chance) => {
      clocks[name].set(hours * HOUR_S)
      await aWhile(chance, 3000, 6000)
      clocks[name].set(0)
      return true
    },
  }
}
