import { openSysfs } from "../../host/drm/sysfs.ts"
import type { DetectedGpu } from "../../host/gpu.ts"
import { type CardFiles, filesOf, filesToSeal } from "./device-files.ts"
import type { Plan } from "./plan.ts"
import type { Task } from "./said.ts"
import { type Command, canSeal, sealed } from "./seal.ts"

/** All cards of a machine, and how each can be told from the others. */
export interface Rig {
  cards: CardFiles[]
  isRoot: boolean
}

/** @param places where sysfs and procfs are mounted. */
export async function openRig(
  gpus: readonly DetectedGpu[],
  places: { sysfs: string; proc: string },
): Promise<Rig> {
  const cards = await filesOf(gpus, { sysfs: openSysfs(places.sysfs), proc: openSysfs(places.proc) })
  return { cards, isRoot: process.getuid?.() === 0 }
}

/** One card's task, and what its child has to run in. */
export interface Berth {
  task: Task
  wrap?: (command: Command) => Command
}

/** Puts the other cards out of reach where that can be done; the child then sees that they are, or refuses to guess. */
export async function berthFor(rig: Rig, card: DetectedGpu, plan: Plan, signal: AbortSignal): Promise<Berth> {
  const files = filesToSeal(rig.cards, card) ?? []
  const isSealed = files.length > 0 && (await canSeal(files, rig.isRoot, signal))
  const task = taskFor(rig, card, plan, isSealed ? files : [])
  return isSealed ? { task, wrap: command => sealed(command, files, rig.isRoot) } : { task }
}

function taskFor({ cards }: Rig, card: DetectedGpu, plan: Plan, files: string[]): Task {
  const named = ({ vendor, name }: DetectedGpu) => ({ vendor, name })
  const others = cards.filter(({ gpu }) => gpu !== card).map(({ gpu }) => named(gpu))
  return {
    wanted: { kind: "card", card: named(card), others, sealed: files },
    plan: withinMemory(plan, card),
  }
}

const MIB = 2 ** 20
/** What is left to the desktop and to the driver itself: this much, or this share of all. */
const SPARED_BYTES = 256 * MIB
const SPARED_SHARE = 0.05

/**
 * What a card has to give, as it tells itself. Some drivers give out the machine's own memory when the card's is used up, and what is measured
 * then is not the card.
 */
export function withinMemory(plan: Plan, { vramTotalMiB, vramUsedMiB }: DetectedGpu): Plan {
  if (vramTotalMiB === null) return plan
  const total = vramTotalMiB * MIB
  const free = total - (vramUsedMiB ?? 0) * MIB - Math.max(SPARED_BYTES, total * SPARED_SHARE)
  const most = Math.max(0, Math.floor(free))
  const { vram, arrayBytes } = plan
  return {
    ...plan,
    // Three arrays, and room for what else is there.
    arrayBytes: Math.max(MIB, Math.min(arrayBytes, Math.floor(most / 4))),
    vram: vram && { ...vram, limitBytes: Math.min(vram.limitBytes ?? most, most) },
  }
}
