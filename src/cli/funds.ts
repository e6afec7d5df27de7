import { formatCredits } from "../protocol/credits.ts"
import type { PaidFrom } from "../protocol/job.ts"

/** `1.50 credits (1.00 granted, 0.50 earned)`; of one kind alone, `1.50 earned credits`. */
export function fundsLine({ granted, earned }: PaidFrom): string {
  if (earned === 0) return `${formatCredits(granted)} granted credits`
  if (granted === 0) return `${formatCredits(earned)} earned credits`
  return `${formatCredits(granted + earned)} credits (${formatCredits(granted)} granted, ${formatCredits(earned)} earned)`
}
