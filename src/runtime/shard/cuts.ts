import type { Prepared, Standing } from "./state.ts"

export type Cuts = Pick<Prepared, "cuts" | "stall">

type StalledCuts = Cuts & { stall: NonNullable<Cuts["stall"]> }

/** In all: also a shard that gets on a little each time must come to an end. */
const CUTS_LIMIT = 32
/** In a row that brought nothing: what ends itself again and again is not cut off by the machine. */
const STALLED_CUTS_LIMIT = 3

const NOWHERE: Standing = { step: null, checkpoint: null }

/**
 * What a shard's account of cuts is after one more, or null when it may not go on.
 * @param standing how far it had come by this cut.
 */
export function cutAgain({ cuts, stall }: Cuts, standing: Standing): StalledCuts | null {
  const before = stall ?? { ...NOWHERE, cuts: 0 }
  const gotOn = (standing.step ?? -1) > (before.step ?? -1) || standing.checkpoint !== before.checkpoint
  const stalled = gotOn ? 0 : before.cuts + 1
  if (cuts >= CUTS_LIMIT || stalled > STALLED_CUTS_LIMIT) return null
  const step = standing.step === null ? before.step : Math.max(standing.step, before.step ?? 0)
  return { cuts: cuts + 1, stall: { step, checkpoint: standing.checkpoint, cuts: stalled } }
}

/** The account after its container was found to be gone before anybody watched, as after a shutdown; null when it may not go on. */
export function goneAgain(account: Cuts): Cuts | null {
  return account.cuts >= CUTS_LIMIT ? null : { ...cutsOf(account), cuts: account.cuts + 1 }
}

/** Only the account, of any state that has one. */
export function cutsOf({ cuts, stall }: Cuts): Cuts {
  return { cuts, ...(stall === undefined ? {} : { stall }) }
}
