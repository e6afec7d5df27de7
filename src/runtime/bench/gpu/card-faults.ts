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

/** The owner's rule stopped it; nothing is wrong with its results. */
export function cardTooHot(temperatureC: number, mostC: number): Fault {
  const message = `The card reached ${temperatureC} °C, and the owner's rule bench.maxTemperatureC allows ${mostC} °C.`
  return new Fault("gpu-too-hot", message, {
    hint: "Clean it, give it air or lower its power limit, and measure again; or allow more in rules.yaml.",
    facts: { temperatureC, mostC },
  })
}

/** The owner's rule cannot be kept: that is never taken for a card that is cool. @param blindMs for so long it has told nothing. */
export function cardUnwatched(blindMs: number): Fault {
  const message = `The card told no temperature for ${blindMs / 1000} s, so that nobody could keep the owner's rule bench.maxTemperatureC.`
  return new Fault("gpu-unwatched", message, {
    hint: "See with `zg-agent gpus` whether it tells one. A card that never does is measured only without that rule in rules.yaml.",
    facts: { blindMs },
  })
}

/** The process that used the card ended by itself. @param said the last that it or its driver printed. */
export function cardLost(message: string, said: string): Fault {
  return new Fault("gpu-lost", message, {
    hint: "Look at the kernel's log (`dmesg`) and for a newer driver, and measure again.",
    facts: { said },
  })
}
