import type { GpuProblem } from "../gpu.ts"
import { type Finding, LOST_REASON } from "./health.ts"
import { pciAddress } from "./reading.ts"

/** A line in which nvidia-smi names a card that has trouble. */
export interface Complaint {
  index: number | null
  pciAddress: string | null
  finding: Finding
}

const CARD =
  /\bGPU\s*(?:(\d{1,3})\s*:\s*)?((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])|\bGPU\s*(\d{1,3})\s*:/i
const TROUBLE = /unable|lost|fallen|error|fail|corrupt|not found|no such|warning/i
const GONE =
  /unable to determine the device handle|\bis lost\b|fallen off the bus|unknown error|not found|no such device/i

/** `Unable to determine the device handle for GPU3: 0000:5F:00.0: Unknown Error` and its kin; null for other lines. */
export function complaintOf(line: string): Complaint | null {
  const match = line.match(CARD)
  if (!match || !TROUBLE.test(line)) return null
  const digits = match[1] ?? match[3]
  const said = printable(line)
  const finding: Finding = GONE.test(line)
    ? { health: "lost", stops: true, reason: `${LOST_REASON} nvidia-smi says: ${said}` }
    : { health: "degraded", stops: false, reason: `nvidia-smi says: ${said} Restart the machine; see dmesg.` }
  return { index: digits ? Number(digits) : null, pciAddress: pciAddress(match[2] ?? null), finding }
}

/** Troubles of the driver as a whole: asking card by card would only repeat them. */
const WHOLE: Array<[RegExp, string]> = [
  [
    /couldn't communicate with the NVIDIA driver|driver is not loaded|driver not loaded/i,
    "Load the driver (`sudo modprobe nvidia`); after a kernel update, reinstall the NVIDIA driver and restart.",
  ],
  [/driver\/library version mismatch/i, "The driver was updated while it ran: restart the machine."],
  [
    /insufficient permissions|permission denied/i,
    "Run as a user who may use the cards (group `video` or `render`), or with sudo.",
  ],
  [
    /no devices (were|was)? ?found/i,
    "If the machine has an NVIDIA card, check `lspci | grep -i nvidia` and `sudo dmesg | grep NVRM`: the card may be off the bus, or too old for this driver.",
  ],
  [
    /couldn't find libnvidia-ml|libnvidia-ml\.so/i,
    "Install the driver's own tools and libraries again (package nvidia-utils of the driver's version).",
  ],
  [/failed to initialize nvml/i, "Restart the machine; if it comes back, reinstall the NVIDIA driver."],
  [
    /blocked by the operating system/i,
    "In WSL2, update the NVIDIA driver of Windows, then run `wsl --shutdown`.",
  ],
]

/** A line about no single card, with what to do about it. */
export function problemOf(line: string): GpuProblem {
  const hint = WHOLE.find(([pattern]) => pattern.test(line))?.[1]
  return problem(printable(line), hint ?? "Run `nvidia-smi -q` to see what it says of the cards.")
}

export function isWholeDriver(line: string): boolean {
  return WHOLE.some(([pattern]) => pattern.test(line))
}

/** Lines that only go on with what the one before said. */
export function isRemark(line: string): boolean {
  return /^(reboot the system to recover|Make sure that the latest NVIDIA driver|Please also try|For more details|-*$|=+$)/i.test(
    line,
  )
}

export function problem(message: string, hint: string): GpuProblem {
  return { source: "nvidia-smi", message, hint }
}

const LINE_CHARS = 300

/** One line of a stranger's text without control characters, with a full stop. */
function printable(line: string): string {
  const text = line
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .slice(0, LINE_CHARS)
  return /[.!?]$/.test(text) ? text : `${text}.`
}
