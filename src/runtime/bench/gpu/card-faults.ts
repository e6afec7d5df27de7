import { Fault } from "../../../protocol/fault.ts"

/** The card gave a wrong result, or its memory did not keep what was written. */
export function cardUnsound(name: string, what: string): Fault {
  return new Fault("gpu-unsound", `This card computes or remembers wrongly (${name}): ${what}.`, {
    hint: "Take back overclocking and undervolting, look at its cooling and its power cables, and measure again; leave it out of `--gpus` until it is sound.",
    facts: { name, what },
  })
}

/** The card hung; the process that used it was killed. */
export function cardSilent(message: string, step: string | null, isGone: boolean): Fault {
  return new Fault("gpu-silent", message, {
    hint: isGone
      ? "Look at the kernel's log (`dmesg`), at the riser and the power supply, and measure again; leave the card out of `--gpus` until it answers."
      : "Its driver does not let go of the process: the card comes back with the next start of the machine.",
    facts: { step, isGone },
  })
}

/** The process that used the card ended by itself. @param said the last that it or its driver printed. */
export function cardLost(message: string, said: string): Fault {
  return new Fault("gpu-lost", message, {
    hint: "Look at the kernel's log (`dmesg`) and for a newer driver, and measure again.",
    facts: { said },
  })
}
